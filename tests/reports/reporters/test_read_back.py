"""What gandiag writes to TensorBoard and Weights & Biases is the record, and reads back as one."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from gandiag.diagnosis.diagnosis import Diagnosis
from gandiag.plugins import registry as plugins
from gandiag.records.record import Record, Row
from gandiag.reports.report import build_report
from gandiag.reports.reporters.tensorboard import TensorBoard
from gandiag.reports.reporters.weights_and_biases import WeightsAndBiases
from gandiag.reports.saved_runs import diagnose, load

RUNS = Path(__file__).parents[2] / "recorded_runs"


def verdicts(found: Sequence[Diagnosis]) -> list[tuple[object, ...]]:
    """What each condition is, since when, and why."""
    return [(d.condition, d.status, d.kind, d.onset, d.cause) for d in found]


def assert_same(found: Record, original: Record) -> None:
    """A record has the signals and the facts of another one, and the same diagnoses."""
    assert sorted(found.signals) == sorted(original.signals)
    for name, signal in original.signals.items():
        np.testing.assert_array_equal(found[name].steps, signal.steps)
        np.testing.assert_allclose(found[name].values, signal.values, rtol=2e-7)
    assert found.facts == original.facts
    plain = Record(original.signals, original.facts)  # without its folder: no scenario is applied
    assert verdicts(diagnose(found)) == verdicts(diagnose(plain))


@pytest.mark.parametrize("name", sorted(p.name for p in RUNS.iterdir() if p.is_dir()))
def test_events_read_back(tmp_path: Path, name: str) -> None:
    """A recorded run that was written to TensorBoard is read as the same record."""
    pytest.importorskip("tensorboard")
    original = Record.load(RUNS / name)
    report = build_report(original, None, [], plugins.build_all("fixes"))
    TensorBoard().publish(report, tmp_path)
    assert_same(load(tmp_path), original)


def odd_record() -> Record:
    """A record with every sort of value that a chart does not hold exactly."""
    rows = [
        Row(step, {
            "loss/value/discriminator": float(np.float32(0.1 * step)),
            "loss/value/generator": float("nan") if step > 30 else 0.0,
            "diversity/mode_histogram/generator": [0.0, 0.25, 0.75],
            "objective/gradients_fake/generator": [-1.0, 0.5, float("inf")],
            "inputs/range/real": [float(k) for k in range(3)],
            "units/long/generator": [float(k) for k in range(700)],
        })
        for step in range(0, 50, 10)
    ]  # fmt: skip
    facts = {"steps": 40, "shape": [1, 28, 28], "real_pair_distance": 1.5, "scores": "logits"}
    return Record.from_rows(rows, facts=facts)


def test_odd_values_read_back(tmp_path: Path) -> None:
    """NaN, negative, infinite and long vectors are read back, from events and from W&B offline."""
    pytest.importorskip("tensorboard")
    report = build_report(odd_record(), None, [], [])
    TensorBoard().publish(report, tmp_path / "events")
    assert_same(load(tmp_path / "events"), odd_record())
    WeightsAndBiases(mode="offline").publish(report, tmp_path / "wandb_run")
    # A process of W&B writes the file, and may still do so after the run has ended.
    deadline = time.monotonic() + 60
    while len(load(tmp_path / "wandb_run").facts) < 4 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert_same(load(tmp_path / "wandb_run"), odd_record())
