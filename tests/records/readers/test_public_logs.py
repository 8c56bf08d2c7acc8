"""The published logs of PyTorch-StudioGAN, where somebody has put them beside this checkout."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

import pytest

from gandiag.diagnosis.detectors.discriminator_saturation import DiscriminatorSaturation
from gandiag.diagnosis.diagnosis import Diagnosis
from gandiag.records.logs import read_log

LOGS = Path(__file__).parents[4] / "shared" / "data" / "training-logs"

pytestmark = pytest.mark.skipif(not LOGS.is_dir(), reason="the public logs are not here")


class Run(NamedTuple):
    """A published run: whether it went wrong, what is in its loss, and the answer."""

    name: str
    sick: bool
    mixed: bool
    apart: bool
    found: Diagnosis


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    """Every run, judged from step and two losses alone."""
    import pandas as pd

    folder, found = tmp_path_factory.mktemp("logs"), []
    with (LOGS / "runs.csv").open() as file:
        for row in csv.DictReader(file):
            whole = pd.read_csv(LOGS / f"{row['run']}.csv.gz")
            path = folder / f"{row['run']}.csv"
            whole[["step", "discriminator_loss", "generator_loss"]].to_csv(path, index=False)
            answer = DiscriminatorSaturation().detect(read_log(path))
            mixed = row["class_or_contrastive_in_d_loss"] == "yes"
            apart = "class_loss" in whole
            found.append(Run(row["run"], row["label"] != "ok", mixed, apart, answer))
    return found


def test_failures_are_seen(runs: list[Run]) -> None:
    """Eight of the nine failed runs are seen; the ninth is a critic's whose losses look well."""
    missed = [r.name for r in runs if r.sick and not r.mixed and r.found.status != "present"]
    assert missed == ["cifar10-wgan-dra-20200916-051822"]


def test_no_healthy_run_is_accused(runs: list[Run]) -> None:
    """None of the runs that went well is called saturated, whatever is in their losses."""
    assert not [r.name for r in runs if not r.sick and r.found.status == "present"]


def test_mixed_losses_are_inconclusive(runs: list[Run]) -> None:
    """Class terms that nobody logged apart keep the answer open."""
    open_ = {r.found.status for r in runs if r.mixed and not r.apart}
    assert open_ == {"inconclusive"}
