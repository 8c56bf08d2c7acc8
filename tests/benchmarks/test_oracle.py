"""The oracle: it changes nothing in a run, and its file can be read back."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from gandiag.benchmarks.detection.cases import Case
from gandiag.benchmarks.detection.runs import (
    ORACLE_FILE,
    Run,
    build_truth,
    is_finished,
    run_case,
    run_cases,
    run_folder,
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
    """A short training run on the ring."""
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


def same(gan: GAN, with_new_discriminator: bool) -> GAN:
    """A counterfactual that trains nothing."""
    return gan


def build_oracle(data: Data, path: Path, every: int = 20) -> Oracle:
    """An oracle for the default ring."""
    return Oracle(build_truth(Ring(), data), data, path, every, seed=0, replay=same)


def test_oracle_does_not_change_the_run(scenario: Scenario, tmp_path: Path) -> None:
    """Weights and record have the same bits with and without an oracle."""
    ends: list[dict[str, torch.Tensor]] = []

    def keep_last(step: int, gan: GAN) -> None:
        if step == STEPS:
            ends.append(copy.deepcopy(gan.generator.state_dict()))

    pipeline.run(scenario, tmp_path / "alone", observers=[keep_last])
    oracle = build_oracle(Ring().load(), tmp_path / ORACLE_FILE)
    pipeline.run(scenario, tmp_path / "observed", observers=[oracle, keep_last])
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])
    alone, observed = (
        (tmp_path / run / "signals.jsonl").read_bytes() for run in ("alone", "observed")
    )
    assert alone == observed


def test_measurement_has_no_side_effects(
    build_noisy_gan: Callable[[], GAN], tmp_path: Path
) -> None:
    """A measurement changes neither BatchNorm's statistics nor the global random generator."""
    gan, data = build_noisy_gan(), Ring().load()
    before, state = copy.deepcopy(gan.generator.state_dict()), torch.get_rng_state()
    build_oracle(data, tmp_path / ORACLE_FILE)(20, gan)
    assert torch.equal(state, torch.get_rng_state())
    assert all(
        torch.equal(before[name], value) for name, value in gan.generator.state_dict().items()
    )


def test_rows_read_back(build_noisy_gan: Callable[[], GAN], tmp_path: Path) -> None:
    """Each measurement is a row, and non-finite numbers can be read back."""
    gan, oracle = build_noisy_gan(), build_oracle(Ring().load(), tmp_path / ORACLE_FILE)
    oracle(10, gan)
    oracle(20, gan)
    with torch.no_grad():
        list(gan.generator.parameters())[-1].fill_(torch.nan)
    oracle(40, gan)
    about, rows = read_rows(tmp_path / ORACLE_FILE)
    assert about["shares"] == [0.125] * 8
    assert [row["step"] for row in rows] == [20, 40]
    assert rows[0]["shares"].sum() == pytest.approx(1, abs=1e-5)
    assert rows[1]["finite"] == 0
    assert rows[1]["distance"] == np.inf


def test_same_step_has_the_same_samples(build_noisy_gan: Callable[[], GAN], tmp_path: Path) -> None:
    """The samples depend on seed and step alone."""
    gan, data = build_noisy_gan(), Ring().load()
    rows = [build_oracle(data, tmp_path / name).measure(20, gan)[0] for name in ("one", "two")]
    assert rows[0]["distance"] == rows[1]["distance"]


def test_frozen_samples_get_a_counterfactual(
    build_noisy_gan: Callable[[], GAN], tmp_path: Path
) -> None:
    """If the weights never change, there is one counterfactual, after 300 steps."""
    gan, oracle = build_noisy_gan(), build_oracle(Ring().load(), tmp_path / ORACLE_FILE, every=100)
    with torch.no_grad():  # Otherwise dropout and batch statistics change each measurement.
        list(gan.generator.parameters())[-1].fill_(50.0)
    for step in range(100, 901, 100):
        oracle(step, gan)
    counterfactuals = {
        row["step"]: row["otherwise"]
        for row in read_rows(tmp_path / ORACLE_FILE)[1]
        if "otherwise" in row
    }
    assert list(counterfactuals) == [400]
    assert counterfactuals[400]["auc"] == 1
    assert counterfactuals[400]["swap"] == pytest.approx(0, abs=0.01)


def test_fresh_classifier_separates_different_data_only() -> None:
    """Two sets of true samples have an AUC of 0.5; a shifted set has an AUC near 1."""
    truth = Mixture(np.zeros((1, 2)), 1.0, np.ones(1))
    one, two = (torch.from_numpy(truth.sample(2000, seed)) for seed in (1, 2))
    assert fresh_auc(truth, one, two, 0) == pytest.approx(0.5, abs=0.06)
    assert fresh_auc(truth, one, two + 5, 0) > 0.99


def test_finished_run_is_not_trained_again(scenario: Scenario, tmp_path: Path) -> None:
    """A finished run is kept; an interrupted run is trained again and gives the same file."""
    run = Run(Case("small", "ring", "tuning", "healthy", scenario), seed=3)
    folder = run_folder(run, tmp_path)
    assert [(p.run.seed, p.problem) for p in run_cases([run], tmp_path, jobs=1)] == [(3, "")]
    assert list(run_cases([run], tmp_path, jobs=1)) == []
    written = (folder / ORACLE_FILE).read_text()
    assert "seed: 3" in (folder / "scenario.yaml").read_text()
    (folder / "finished").unlink()
    (folder / ORACLE_FILE).write_text("half a line")
    run_case(run, tmp_path)
    assert (folder / ORACLE_FILE).read_text() == written
    assert [json.loads(line).get("step") for line in written.splitlines()] == [None, 50]


def test_failing_run_does_not_stop_the_others(scenario: Scenario, tmp_path: Path) -> None:
    """The exception of a run is reported, the run is not finished, and the next run is trained."""
    broken = scenario.set({"data.ring.radius": -1.0})
    runs = [
        Run(Case(name, "ring", "tuning", "healthy", found), 0)
        for name, found in (("broken", broken), ("sound", scenario))
    ]
    results = list(run_cases(runs, tmp_path, jobs=1))
    assert "radius must be finite and positive" in results[0].problem
    assert [is_finished(run, tmp_path) for run in runs] == [False, True]


def test_unknown_data_are_refused(tmp_path: Path) -> None:
    """A data set whose true modes are not known is refused."""
    data = Ring().load()
    with pytest.raises(BadInput, match="ImageFolder"):
        build_truth(ImageFolder(str(tmp_path)), data)
