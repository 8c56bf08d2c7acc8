"""The published logs of PyTorch-StudioGAN, if they are in the folder `shared`."""

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
    """A published run: its published label, the terms of its loss, and the diagnosis.

    Attributes:
        name: of the run.
        is_failing: whether its label is not "ok".
        is_mixed: whether D's loss includes a class or contrastive term.
        is_separate: whether that term is logged separately.
        found: diagnosis of discriminator saturation from step and two losses.
    """

    name: str
    is_failing: bool
    is_mixed: bool
    is_separate: bool
    found: Diagnosis


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    """Every run with a diagnosis from step and two losses alone."""
    import pandas as pd

    folder, found = tmp_path_factory.mktemp("logs"), []
    with (LOGS / "runs.csv").open() as file:
        for row in csv.DictReader(file):
            whole = pd.read_csv(LOGS / f"{row['run']}.csv.gz")
            path = folder / f"{row['run']}.csv"
            whole[["step", "discriminator_loss", "generator_loss"]].to_csv(path, index=False)
            answer = DiscriminatorSaturation().detect(read_log(path))
            is_mixed = row["class_or_contrastive_in_d_loss"] == "yes"
            is_separate = "class_loss" in whole
            found.append(Run(row["run"], row["label"] != "ok", is_mixed, is_separate, answer))
    return found


def test_failures_are_detected(runs: list[Run]) -> None:
    """Eight of nine failing runs are detected; the ninth has the losses of a healthy critic."""
    missed = [
        r.name for r in runs if r.is_failing and not r.is_mixed and r.found.status != "present"
    ]
    assert missed == ["cifar10-wgan-dra-20200916-051822"]


def test_no_healthy_run_is_called_saturated(runs: list[Run]) -> None:
    """No healthy run is called saturated, whatever terms its losses include."""
    assert not [r.name for r in runs if not r.is_failing and r.found.status == "present"]


def test_mixed_losses_are_inconclusive(runs: list[Run]) -> None:
    """With class terms that are not logged separately, the answer is inconclusive."""
    statuses = {r.found.status for r in runs if r.is_mixed and not r.is_separate}
    assert statuses == {"inconclusive"}
