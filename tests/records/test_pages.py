"""Pages of long records: the same numbers as the lines, whatever happens to the pages."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gandiag.records import writer
from gandiag.records.pages import PAGES_FOLDER, read_pages, remove_pages
from gandiag.records.record import SIGNALS_FILE, Record, Row
from gandiag.records.writer import Recorder
from gandiag.reports.server.tail import RecordTail


@pytest.fixture(autouse=True)
def short_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a page have 10 rows."""
    monkeypatch.setattr(writer, "PAGE_ROWS", 10)


def make_rows(count: int, first: int = 0) -> Iterator[Row]:
    """Rows with numbers and vectors that are measured at different steps, and non-finite ones."""
    for step in range(first, first + count):
        signals: dict[str, float | list[float]] = {"a/b/generator": step / 7, "c": -1.5 * step}
        if step % 3 == 0:
            signals["vector"] = [float(step), math.inf, 0.25]
        if step >= 25:
            signals["late"] = math.nan
        yield Row(step, signals)


def write(folder: Path, count: int, flush: int = 4) -> Recorder:
    """Write a record, some rows at a time."""
    recorder, rows = Recorder(folder, {"steps": 99}, {}), list(make_rows(count))
    for first in range(0, count, flush):
        recorder.add(rows[first : first + flush])
    return recorder


def assert_equal(one: Record, other: Record) -> None:
    """Check that two records have the same signals, in every entry."""
    assert one.signals.keys() == other.signals.keys()
    for name, signal in one.signals.items():
        np.testing.assert_array_equal(signal.steps, other[name].steps)
        np.testing.assert_array_equal(signal.values, other[name].values)


def load_lines(folder: Path) -> Record:
    """Load a record without its pages."""
    remove_pages(folder)
    return Record.load(folder)


@given(count=st.integers(0, 45), flush=st.integers(1, 13))
def test_pages_have_the_same_numbers(
    count: int, flush: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """With pages, a record has the same signals as in memory, and as from its lines alone."""
    folder = tmp_path_factory.mktemp("run")
    recorder = write(folder, count, flush)
    loaded = Record.load(folder)
    assert_equal(loaded, recorder.record())
    tail = RecordTail(folder)
    tail.read_new_rows()
    assert_equal(tail.record, loaded)
    pages = read_pages(folder, (folder / SIGNALS_FILE).stat().st_size)
    assert count - 10 - flush < pages.rows <= count
    assert_equal(load_lines(folder), loaded)


def test_tail_goes_on_behind_the_pages(tmp_path: Path) -> None:
    """A dashboard reads the pages once, and then only the new rows."""
    recorder, tail = write(tmp_path, 24), RecordTail(tmp_path)
    assert tail.read_new_rows()
    recorder.add(make_rows(20, first=24))
    assert tail.read_new_rows()
    assert_equal(tail.record, recorder.record())


@pytest.mark.parametrize("damage", ["cut", "other", "missing", "too long"])
def test_damaged_pages_cost_nothing(tmp_path: Path, damage: str) -> None:
    """The lines are read in place of a page that is damaged, missing, or of another record."""
    expected = write(tmp_path, 45).record()
    first, second, *_ = sorted((tmp_path / PAGES_FOLDER).iterdir())
    if damage == "cut":
        second.write_bytes(second.read_bytes()[:-5])
    elif damage == "other":
        second.write_bytes(b"{}")
    elif damage == "missing":
        first.unlink()
    else:
        lines = (tmp_path / SIGNALS_FILE).read_bytes().splitlines(keepends=True)
        (tmp_path / SIGNALS_FILE).write_bytes(b"".join(lines[:17]))
        expected = write(tmp_path / "short", 17).record()
    assert_equal(Record.load(tmp_path), expected)


def test_new_record_has_no_old_pages(tmp_path: Path) -> None:
    """A record that replaces another one removes its pages."""
    write(tmp_path, 45)
    recorder = write(tmp_path, 12)
    assert_equal(Record.load(tmp_path), recorder.record())


@pytest.mark.parametrize("kept", [5, 23, 44])
def test_continued_record_keeps_its_pages(tmp_path: Path, kept: int) -> None:
    """A record that goes on from some row keeps the pages until then, and gets new ones."""
    write(tmp_path / "run", 45)
    recorder = Recorder(tmp_path / "run", {}, {}, is_resumed=True)
    recorder.load_state({"rows": kept, "facts": {}, "environment": {}})
    recorder.add(make_rows(60 - kept, first=kept))
    assert_equal(Record.load(tmp_path / "run"), write(tmp_path / "whole", 60).record())
    pages = read_pages(tmp_path / "run", (tmp_path / "run" / SIGNALS_FILE).stat().st_size)
    assert pages.rows > 30
    assert_equal(load_lines(tmp_path / "run"), Record.load(tmp_path / "whole"))
