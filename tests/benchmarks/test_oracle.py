"""Laws of the oracle: it leaves no trace, and writes what can be read back."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from gandiag.benchmarks.detection.cases import Case
from gandiag.benchmarks.detection.play import (
    DONE,
    ORACLE,
    Run,
    folder_of,
    run_case,
    run_cases,
    truth_of,
)
from gandiag.benchmarks.oracle.oracle import Oracle, fresh_auc, read_rows
from gandiag.benchmarks.oracle.truths import Mixture
from gandiag.datasets.data import Data
from gandiag.datasets.image_folder import ImageFolder
from gandiag.datasets.ring import Ring
from gandiag.models.gan import GAN
from gandiag.plugins.errors import BadInput
from gandiag.scenario.schema import Scenario
from gandiag.training import pipeline

STEPS = 60


@pytest.fixture
def scenario() -> Scenario:
    """A short game on the ring."""
    return Scenario.parse(
        {
            "data": {"ring": {"held_out": 200, "samples": 400}},
            "variant": {"vanilla": {"width": 8, "latent_size": 4, "r1": 0.1}},
            "training": {"steps": STEPS, "batch_size": 16},
            "probes": {"units": False},
            "reporters": [],
            "device": "cpu",
        }
    )


def same(gan: GAN, anew: bool) -> GAN:
    """A counterfactual in which nothing happens."""
    return gan


def oracle(data: Data, path: Path, every: int = 20) -> Oracle:
    """One for the default ring."""
    return Oracle(truth_of(Ring(), data), data, path, every, seed=0, replay=same)


def test_run_is_the_same_beside_an_oracle(scenario: Scenario, tmp_path: Path) -> None:
    """A game gives the same bits, in weights and record, with an oracle looking on."""
    ends: list[dict[str, torch.Tensor]] = []

    def keep(step: int, gan: GAN) -> None:
        if step == STEPS:
            ends.append(copy.deepcopy(gan.generator.state_dict()))

    pipeline.run(scenario, tmp_path / "alone", observers=[keep])
    looking = oracle(Ring().load(), tmp_path / ORACLE)
    pipeline.run(scenario, tmp_path / "beside", observers=[looking, keep])
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])
    alone, beside = ((tmp_path / run / "signals.jsonl").read_bytes() for run in ("alone", "beside"))
    assert alone == beside


def test_oracle_disturbs_nothing(build_noisy_gan: Callable[[], GAN], tmp_path: Path) -> None:
    """Neither BatchNorm's statistics nor anybody's random numbers show that it has looked."""
    gan, data = build_noisy_gan(), Ring().load()
    before, state = copy.deepcopy(gan.generator.state_dict()), torch.get_rng_state()
    oracle(data, tmp_path / ORACLE)(20, gan)
    assert torch.equal(state, torch.get_rng_state())
    assert all(
        torch.equal(before[name], value) for name, value in gan.generator.state_dict().items()
    )


def test_rows_read_back(build_noisy_gan: Callable[[], GAN], tmp_path: Path) -> None:
    """Each due step is a line, and numbers that are not finite survive."""
    gan, looking = build_noisy_gan(), oracle(Ring().load(), tmp_path / ORACLE)
    looking(10, gan)
    looking(20, gan)
    with torch.no_grad():
        list(gan.generator.parameters())[-1].fill_(torch.nan)
    looking(40, gan)
    about, rows = read_rows(tmp_path / ORACLE)
    assert about["shares"] == [0.125] * 8
    assert [row["step"] for row in rows] == [20, 40]
    assert rows[0]["shares"].sum() == pytest.approx(1, abs=1e-5)
    assert rows[1]["finite"] == 0
    assert rows[1]["distance"] == np.inf


def test_same_step_has_the_same_samples(build_noisy_gan: Callable[[], GAN], tmp_path: Path) -> None:
    """What is drawn depends on seed and step alone."""
    gan, data = build_noisy_gan(), Ring().load()
    looks = [oracle(data, tmp_path / name).look(20, gan)[0] for name in ("one", "two")]
    assert looks[0]["distance"] == looks[1]["distance"]


def test_standing_still_far_off_is_asked_about(
    build_noisy_gan: Callable[[], GAN], tmp_path: Path
) -> None:
    """Weights that never change: after 300 steps it is asked what would help, and once."""
    gan, looking = build_noisy_gan(), oracle(Ring().load(), tmp_path / ORACLE, every=100)
    with torch.no_grad():  # else dropout and the batch's statistics make each look differ
        list(gan.generator.parameters())[-1].fill_(50.0)
    for step in range(100, 901, 100):
        looking(step, gan)
    asked = {
        row["step"]: row["otherwise"]
        for row in read_rows(tmp_path / ORACLE)[1]
        if "otherwise" in row
    }
    assert list(asked) == [400]
    assert asked[400]["auc"] == 1
    assert asked[400]["swap"] == pytest.approx(0, abs=0.01)


def test_fresh_classifier_is_at_chance_on_equals() -> None:
    """Two draws of the same data cannot be told apart; a shifted one can."""
    truth = Mixture(np.zeros((1, 2)), 1.0, np.ones(1))
    one, two = (torch.from_numpy(truth.drawn(2000, seed)) for seed in (1, 2))
    assert fresh_auc(truth, one, two, 0) == pytest.approx(0.5, abs=0.06)
    assert fresh_auc(truth, one, two + 5, 0) > 0.99


def test_finished_runs_are_left_alone(scenario: Scenario, tmp_path: Path) -> None:
    """A run is played once; one that was interrupted is played anew."""
    run = Run(Case("small", "ring", "tuning", "healthy", scenario), seed=3)
    folder = folder_of(run, tmp_path)
    assert [(p.run.seed, p.problem) for p in run_cases([run], tmp_path, jobs=1)] == [(3, "")]
    assert list(run_cases([run], tmp_path, jobs=1)) == []
    written = (folder / ORACLE).read_text()
    assert "seed: 3" in (folder / "scenario.yaml").read_text()
    (folder / DONE).unlink()
    (folder / ORACLE).write_text("half a line")
    run_case(run, tmp_path)
    assert (folder / ORACLE).read_text() == written
    assert [json.loads(line).get("step") for line in written.splitlines()] == [None, 50]


def test_failing_run_does_not_end_the_others(scenario: Scenario, tmp_path: Path) -> None:
    """A game that cannot be played is told of, is not finished, and the next one is played."""
    broken = scenario.set({"data.ring.radius": -1.0})
    runs = [
        Run(Case(name, "ring", "tuning", "healthy", found), 0)
        for name, found in (("broken", broken), ("sound", scenario))
    ]
    played = list(run_cases(runs, tmp_path, jobs=1))
    assert "radius must be finite and positive" in played[0].problem
    assert [(folder_of(run, tmp_path) / DONE).is_file() for run in runs] == [False, True]


def test_unknown_data_are_refused(tmp_path: Path) -> None:
    """Of data that nobody knows anything about, the oracle says so."""
    data = Ring().load()
    with pytest.raises(BadInput, match="ImageFolder"):
        truth_of(ImageFolder(str(tmp_path)), data)
