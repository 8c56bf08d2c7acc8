"""Laws of the record: it remembers everything, in order, and opens whatever happened."""

from __future__ import annotations

import json
import math
import os
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gandiag.plugins.errors import BadInput
from gandiag.records.record import Record, Row, Signal
from gandiag.records.storage import write_file
from gandiag.records.writer import Recorder

LENGTHS = {"a/x/generator": 0, "b/y/discriminator": 0, "c/bins/generator": 3}  # 0: a number
values = st.floats(width=32)  # NaN and infinities too


def some_signals() -> st.SearchStrategy[dict[str, float | list[float]]]:
    """Values for any of the signals, each of its own length."""
    kinds = {
        n: st.lists(values, min_size=k, max_size=k) if k else values for n, k in LENGTHS.items()
    }
    return st.fixed_dictionaries({}, optional=kinds)


rows = st.lists(st.tuples(st.integers(1, 30), some_signals()), max_size=12).map(
    lambda pairs: [
        Row(step, signals)
        for step, (_, signals) in zip(np.cumsum([p[0] for p in pairs]).tolist(), pairs, strict=True)
    ]
)


def same(one: Record, other: Record) -> None:
    """Assert that two records hold the same signals, NaN being NaN."""
    assert one.signals.keys() == other.signals.keys()
    for name, signal in one.signals.items():
        np.testing.assert_array_equal(signal.steps, other[name].steps)
        np.testing.assert_array_equal(signal.values, other[name].values)


def recorded(folder: Path, count: int = 4) -> Path:
    """A folder with a record of a few rows."""
    recorder = Recorder(folder, {"steps": 100}, {"python": "3"})
    recorder.add(Row(10 * k, {"a/x/generator": float(k)}) for k in range(count))
    return folder


@settings(deadline=None)
@given(rows, st.integers(0, 12))
def test_record_survives_disk(written: list[Row], split: int) -> None:
    """What is read back is what memory held, non-finite numbers and vectors included."""
    with tempfile.TemporaryDirectory() as place:
        recorder = Recorder(Path(place), {}, {})
        recorder.add(written[:split])
        recorder.add(written[split:])
        same(recorder.record(), Record.load(place))


@given(rows)
def test_memory_twins_rows(written: list[Row]) -> None:
    """A signal is the column of its values, to seven digits, at the steps that have it."""
    recorder = Recorder(None, {}, {})
    recorder.add(written)
    record = recorder.record()
    for name in LENGTHS:
        have = [row for row in written if name in row.signals]
        assert record[name].steps.tolist() == [row.step for row in have]
        if have:
            expected = np.array([row.signals[name] for row in have])
            np.testing.assert_allclose(record[name].values, expected, rtol=1e-6)


@given(rows, st.integers(-1, 400))
def test_until_is_prefix(written: list[Row], step: int) -> None:
    """The record until a step is the one made from the rows until that step."""
    prefix = [row for row in written if row.step <= step]
    same(Record.from_rows(written).until(step), Record.from_rows(prefix))


@given(rows, st.integers(0, 300), st.integers(0, 300))
def test_cutting_twice_is_once(written: list[Row], one: int, other: int) -> None:
    """A prefix of a prefix is the shorter of the two."""
    record = Record.from_rows(written)
    same(record.until(one).until(other), record.until(min(one, other)))


def test_file_only_grows(tmp_path: Path) -> None:
    """Adding rows appends to the file and leaves what it held."""
    recorder = Recorder(tmp_path, {}, {})
    file = tmp_path / "signals.jsonl"
    before = b""
    for step in range(5):
        recorder.add([Row(step, {"a/x/generator": step / 3})])
        now = file.read_bytes()
        assert now.startswith(before)
        assert len(now) > len(before)
        before = now


def test_file_is_strict_json(tmp_path: Path) -> None:
    """Non-finite numbers are strings, so that any JSON reader can read the file."""
    recorder = Recorder(tmp_path, {}, {})
    recorder.add([Row(3, {"a": math.nan, "b": math.inf, "c": [-math.inf, 1.0]})])

    def refuse(name: str) -> float:
        raise AssertionError(f"{name} is no JSON")

    line = (tmp_path / "signals.jsonl").read_text()
    assert json.loads(line, parse_constant=refuse) == {
        "step": 3,
        "signals": {"a": "NaN", "b": "Infinity", "c": ["-Infinity", 1.0]},
    }


@given(cut=st.integers(1, 60))
@settings(deadline=None)
def test_interrupted_write_opens(cut: int) -> None:
    """A last line that is half written is left out, and the lines before it are kept."""
    with tempfile.TemporaryDirectory() as place:
        file = recorded(Path(place)) / "signals.jsonl"
        whole = file.read_bytes()
        end = max(len(whole) - cut, 0)
        file.write_bytes(whole[:end])
        kept = sum(1 for line in whole[:end].split(b"\n") if line.endswith(b"}}"))
        assert len(Record.load(place)["a/x/generator"].steps) == kept


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"{",
        b"\xff\xfe\x00",
        b"[1, 2]",
        b'{"step": 10}',
        b'{"step": null, "signals": {}}',
        b'{"step": Infinity, "signals": {}}',
        b'{"step": 10, "signals": {"a": {}}}',
        b'{"step": 10, "signals": {"a": "ten"}}',
        b'{"step": 10, "signals": [1]}',
        b'{"step": -20, "signals": {}}',
    ],
)
def test_damaged_line_is_named(tmp_path: Path, damage: bytes) -> None:
    """A line that cannot be a row, with others after it, is bad input and named."""
    file = recorded(tmp_path, count=3) / "signals.jsonl"
    lines = file.read_bytes().splitlines()
    file.write_bytes(b"\n".join([*lines[:1], damage, *lines[2:], b""]))
    with pytest.raises(BadInput, match=r"signals\.jsonl:2: not a row of a record"):
        Record.load(tmp_path)


def test_folder_without_record_is_bad(tmp_path: Path) -> None:
    """A folder, or nothing at all, without signals is bad input that says so."""
    for place in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(BadInput, match=r"signals\.jsonl is missing"):
            Record.load(place)


@pytest.mark.parametrize("damage", ["", "{", "[1]", "3"])
def test_damaged_environment_is_named(tmp_path: Path, damage: str) -> None:
    """An environment that is no JSON object is bad input and named."""
    recorded(tmp_path)
    (tmp_path / "environment.json").write_text(damage)
    with pytest.raises(BadInput, match=r"environment\.json: not a JSON object"):
        Record.load(tmp_path)


def test_facts_survive_disk(tmp_path: Path) -> None:
    """Facts, environment and later notes are read back, each in its place."""
    recorder = Recorder(tmp_path, {"steps": 7, "shape": [1, 28, 28]}, {"python": "3.11"})
    recorder.add_environment(seconds=1.5)
    record = Record.load(tmp_path)
    assert record.facts == {"steps": 7, "shape": [1, 28, 28]}
    assert record.environment == {"python": "3.11", "seconds": 1.5}
    assert record.folder == tmp_path


def test_new_run_begins_anew(tmp_path: Path) -> None:
    """A recorder in a used folder does not mix its rows with the old ones."""
    recorded(tmp_path)
    Recorder(tmp_path, {}, {}).add([Row(1, {"b/y/generator": 2.0})])
    assert set(Record.load(tmp_path).signals) == {"b/y/generator"}


def test_unknown_signal_is_empty() -> None:
    """A signal that was not recorded has no steps, and reads NaN wherever it is asked."""
    record = Record({})
    assert len(record["a/x/generator"].steps) == 0
    assert math.isnan(record["a/x/generator"].last)
    assert np.isnan(record.at("a/x/generator", np.array([0, 5]))).all()
    assert record.last_step == 0
    assert record.sample_grids() == []


def test_at_takes_newest_before() -> None:
    """A signal is read at its newest step that is not later than the one asked about."""
    record = Record({"a": Signal(np.array([10, 20]), np.array([1.0, 2.0]))})
    np.testing.assert_array_equal(
        record.at("a", np.array([9, 10, 19, 20, 99])), [np.nan, 1, 1, 2, 2]
    )
    assert record["a"].last == 2.0
    assert record.last_step == 20


def test_sheets_are_in_order(tmp_path: Path) -> None:
    """Sheets come oldest first, without real samples and without files half written."""
    recorder = Recorder(tmp_path, {}, {})
    for name in ("step-00000100.png", "step-00000020.npy", "real.png", ".step-00000001.png.9.part"):
        (tmp_path / "samples" / name).touch()
    assert [step for step, _ in recorder.record().sample_grids()] == [20, 100]


def test_whole_file_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that fails leaves the old file as it was, and nothing beside it."""
    path = tmp_path / "page.html"
    write_file(path, "old")

    def full(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="disk full"):
        write_file(path, b"new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["page.html"]
