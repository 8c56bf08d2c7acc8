"""Benchmark of the time and size of pages."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gandiag.benchmarks.pages import extend_record, measure_pages, measure_run_list
from gandiag.plugins.errors import BadInput
from gandiag.records.record import Record, Row
from gandiag.records.sample_grids import write_sample_grid
from gandiag.records.writer import Recorder


@pytest.fixture
def record(tmp_path: Path) -> Record:
    """A record of ten steps with a number, a vector and two sample grids."""
    recorder = Recorder(tmp_path / "run", {"steps": 9}, {})
    recorder.add(Row(s, {"a/b/generator": float(s), "c/d/e": [s, -s]}) for s in range(10))
    for name in ("real", "step-00000000", "step-00000005"):
        write_sample_grid(tmp_path / "run" / "samples" / name, np.zeros((4, 1, 3, 3), np.float32))
    return Record.load(tmp_path / "run")


@pytest.mark.parametrize("steps", [5, 9, 10, 37])
def test_extended_record_repeats(record: Record, steps: int, tmp_path: Path) -> None:
    """At each step, signals and sample grids are those of the step modulo the length of the run."""
    longer = extend_record(record, steps, tmp_path / "long")
    assert longer["a/b/generator"].steps.tolist() == list(range(steps + 1))
    assert longer["a/b/generator"].values.tolist() == [s % 10 for s in range(steps + 1)]
    assert longer["c/d/e"].values.shape == (steps + 1, 2)
    assert [s for s, _ in longer.sample_grids()] == [s for s in range(steps + 1) if s % 5 == 0]
    assert longer.facts["steps"] == steps


def test_run_without_measurements_cannot_be_extended(tmp_path: Path) -> None:
    """A run without measurements cannot be extended."""
    with pytest.raises(BadInput):
        extend_record(Record({}, folder=tmp_path), 10, tmp_path / "long")


def test_each_page_is_measured(record: Record) -> None:
    """Pages for engineers and students are measured, from the record as it is and extended."""
    assert record.folder is not None
    found = list(measure_pages([record.folder], 25, rounds=1))
    assert [(cost.steps, cost.audience) for cost in found] == [
        (9, "engineer"), (9, "student"), (25, "engineer"), (25, "student")
    ]  # fmt: skip
    assert all(cost.size > 1000 and cost.seconds > 0 for cost in found)


def test_list_is_measured(record: Record) -> None:
    """The list of runs is measured, and the run to which they link is unchanged."""
    assert record.folder is not None
    before = sorted(path.name for path in record.folder.rglob("*"))
    assert all(seconds > 0 for seconds in measure_run_list(record.folder, 3, rounds=2))
    assert sorted(path.name for path in record.folder.rglob("*")) == before
