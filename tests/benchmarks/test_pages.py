"""What the pages cost: a run stretched to many steps is that run over and over."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gandiag.benchmarks.pages import measure, measure_list, stretched
from gandiag.plugins.errors import BadInput
from gandiag.records.record import Record, Row
from gandiag.records.sample_grids import write_grid
from gandiag.records.writer import Recorder


@pytest.fixture
def record(tmp_path: Path) -> Record:
    """Ten steps of a number and a vector, with two sheets."""
    recorder = Recorder(tmp_path / "run", {"steps": 9}, {})
    recorder.add(Row(s, {"a/b/generator": float(s), "c/d/e": [s, -s]}) for s in range(10))
    for name in ("real", "step-00000000", "step-00000005"):
        write_grid(tmp_path / "run" / "samples" / name, np.zeros((4, 1, 3, 3), np.float32))
    return Record.load(tmp_path / "run")


@pytest.mark.parametrize("steps", [5, 9, 10, 37])
def test_stretched_run_repeats(record: Record, steps: int, tmp_path: Path) -> None:
    """At each step it has what the run had at that step's remainder, sheets too."""
    longer = stretched(record, steps, tmp_path / "long")
    assert longer["a/b/generator"].steps.tolist() == list(range(steps + 1))
    assert longer["a/b/generator"].values.tolist() == [s % 10 for s in range(steps + 1)]
    assert longer["c/d/e"].values.shape == (steps + 1, 2)
    assert [s for s, _ in longer.sample_grids()] == [s for s in range(steps + 1) if s % 5 == 0]
    assert longer.facts["steps"] == steps


def test_empty_run_cannot_be_stretched(tmp_path: Path) -> None:
    """There is nothing to repeat in a run without looks."""
    with pytest.raises(BadInput):
        stretched(Record({}, folder=tmp_path), 10, tmp_path / "long")


def test_each_page_is_measured(record: Record) -> None:
    """For engineers and students, as it is and stretched; a page has a size and took time."""
    assert record.folder is not None
    found = list(measure([record.folder], 25, rounds=1))
    assert [(made.steps, made.audience) for made in found] == [
        (9, "engineer"), (9, "student"), (25, "engineer"), (25, "student")
    ]  # fmt: skip
    assert all(made.size > 1000 and made.seconds > 0 for made in found)


def test_list_is_measured(record: Record) -> None:
    """A list of runs that are links to one takes time, and leaves the run as it was."""
    assert record.folder is not None
    before = sorted(path.name for path in record.folder.rglob("*"))
    assert all(seconds > 0 for seconds in measure_list(record.folder, 3, rounds=2))
    assert sorted(path.name for path in record.folder.rglob("*")) == before
