"""The record keeps every measurement in order, and opens after any interruption."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gandiag.plugins.errors import BadInput
from gandiag.records.record import Record, Row, Signal
from gandiag.records.writer import Recorder

# Length of each signal's vector; 0 for a scalar signal.
LENGTHS = {"a/x/generator": 0, "b/y/discriminator": 0, "c/modes/generator": 3}
values = st.floats(width=32)  # NaN and infinities included


def some_signals() -> st.SearchStrategy[dict[str, float | list[float]]]:
    """Values for any subset of the signals, each with its own length."""
    optional = {
        name: st.lists(values, min_size=length, max_size=length) if length else values
        for name, length in LENGTHS.items()
    }
    return st.fixed_dictionaries({}, optional=optional)


rows = st.lists(st.tuples(st.integers(1, 30), some_signals()), max_size=12).map(
    lambda pairs: [
        Row(step, signals)
        for step, (_, signals) in zip(np.cumsum([p[0] for p in pairs]).tolist(), pairs, strict=True)
    ]
)


def assert_same(one: Record, other: Record) -> None:
    """Assert that two records have the same signals; NaN equals NaN."""
    assert one.signals.keys() == other.signals.keys()
    for name, signal in one.signals.items():
        np.testing.assert_array_equal(signal.steps, other[name].steps)
        np.testing.assert_array_equal(signal.values, other[name].values)


def write_record(folder: Path, count: int = 4) -> Path:
    """Write a record of a few rows and return its folder."""
    recorder = Recorder(folder, {"steps": 100}, {"python": "3"})
    recorder.add(Row(10 * k, {"a/x/generator": float(k)}) for k in range(count))
    return folder


@settings(deadline=None)
@given(rows, st.integers(0, 12))
def test_record_survives_disk(written: list[Row], split: int) -> None:
    """The record on disk equals the record in memory, with non-finite numbers and vectors."""
    with tempfile.TemporaryDirectory() as place:
        recorder = Recorder(Path(place), {}, {})
        recorder.add(written[:split])
        recorder.add(written[split:])
        assert_same(recorder.record(), Record.load(place))


@given(rows)
def test_signals_are_columns_of_rows(written: list[Row]) -> None:
    """A signal has the values of its rows, to seven digits, at the steps that have the signal."""
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
    """The record until a step equals the record of the rows until that step."""
    prefix = [row for row in written if row.step <= step]
    assert_same(Record.from_rows(written).until(step), Record.from_rows(prefix))


@given(rows, st.integers(0, 300), st.integers(0, 300))
def test_until_twice_is_the_shorter(written: list[Row], one: int, other: int) -> None:
    """Of two cuts the earlier one counts, in either order."""
    record = Record.from_rows(written)
    assert_same(record.until(one).until(other), record.until(min(one, other)))


def test_file_only_grows(tmp_path: Path) -> None:
    """Adding rows appends to the file and leaves its content unchanged."""
    recorder = Recorder(tmp_path, {}, {})
    file = tmp_path / "signals.jsonl"
    before = b""
    for step in range(5):
        recorder.add([Row(step, {"a/x/generator": step / 3})])
        now = file.read_bytes()
        assert now.startswith(before)
        assert len(now) > len(before)
        before = now


@given(cut=st.integers(1, 60))
@settings(deadline=None)
def test_half_written_line_is_left_out(cut: int) -> None:
    """A half-written last line is left out, and the lines before it are kept."""
    with tempfile.TemporaryDirectory() as place:
        file = write_record(Path(place)) / "signals.jsonl"
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
def test_damaged_line_costs_itself(tmp_path: Path, damage: bytes) -> None:
    """A damaged line before the last one is left out; a warning gives the count and the line."""
    file = write_record(tmp_path, count=4) / "signals.jsonl"
    lines = file.read_bytes().splitlines()
    file.write_bytes(b"\n".join([*lines[:1], damage, *lines[2:], b""]))
    with pytest.warns(RuntimeWarning, match=r"1 of 4 lines are damaged.*line 2"):
        record = Record.load(tmp_path)
    assert record["a/x/generator"].steps.tolist() == [0, 20, 30]


@pytest.mark.parametrize("step", [0, 2**53])
def test_wrong_step_costs_its_row(tmp_path: Path, step: int) -> None:
    """A step that is out of order costs its own row, whether it is too small or too large."""
    file = write_record(tmp_path, count=6) / "signals.jsonl"
    file.write_text(file.read_text().replace('"step": 30,', f'"step": {step},'))
    with pytest.warns(RuntimeWarning, match=f"line 4 .step {step} is out of order"):
        record = Record.load(tmp_path)
    assert record["a/x/generator"].steps.tolist() == [0, 10, 20, 40, 50]


def test_form_of_most_rows_counts(tmp_path: Path) -> None:
    """A value with another number of entries than most of its signal's values is left out."""
    (tmp_path / "signals.jsonl").write_text(
        "".join(
            f'{{"step": {step}, "signals": {{"a": {[1, [1, 2], [1, 2], [1, 2, 3]][step]}}}}}\n'
            for step in range(4)
        )
    )
    with pytest.warns(RuntimeWarning, match="2 values are left out"):
        record = Record.load(tmp_path)
    assert record["a"].values.tolist() == [[1, 2], [1, 2]]


def test_record_of_damaged_lines_is_bad(tmp_path: Path) -> None:
    """A file without a single row is an error that names its first line."""
    (tmp_path / "signals.jsonl").write_text("no\nrecord\n")
    with pytest.raises(BadInput, match=r"signals\.jsonl:1: not a row of a record"):
        Record.load(tmp_path)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"facts": {"class_shares": "many"}}', "facts.class_shares: should be a list"),
        ('{"facts": {"steps": 1e400}}', "facts.steps: should be a whole number"),
        ('{"facts": {"shape": [0]}}', "facts.shape.0: should be at least 1"),
        ('{"facts": {"not_measured": {"a": {}}}}', "facts.not_measured.a.text: is missing"),
        ('{"steps_played": true}', "steps_played: should be a whole number"),
        ('{"a": ' + "[" * 101 + "]" * 101 + "}", "nested more than 100 levels deep"),
        ('{"a": 1' + "0" * 400 + "}", "more than 308 digits"),
        ('{"facts": 3}', "not a JSON object with an object of facts"),
    ],
)
def test_facts_are_checked_at_load(tmp_path: Path, text: str, problem: str) -> None:
    """A fact of another type is one line that names the file and the fact."""
    folder = write_record(tmp_path)
    (folder / "environment.json").write_text(text)
    with pytest.raises(BadInput, match=problem) as error:
        Record.load(folder)
    assert str(error.value).startswith(str(folder / "environment.json"))


def test_other_files_are_no_sample_grids(tmp_path: Path) -> None:
    """A file in ``samples`` with another name than a grid's is skipped."""
    folder = write_record(tmp_path)
    for name in ("step-.png", "step-9x.png", "step-7.txt", "step-00000010.png", "step-9.npy"):
        (folder / "samples" / name).write_bytes(b"")
    assert [step for step, _ in Record.load(folder).sample_grids()] == [9, 10]


def test_folder_without_record_is_bad(tmp_path: Path) -> None:
    """A folder without signals, or one that does not exist, is an error with the reason."""
    for place in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(BadInput, match=r"signals\.jsonl is missing"):
            Record.load(place)


@pytest.mark.parametrize("damage", ["", "{", "[1]", "3"])
def test_damaged_environment_is_named(tmp_path: Path, damage: str) -> None:
    """An environment that is not a JSON object is an error that names the file."""
    write_record(tmp_path)
    (tmp_path / "environment.json").write_text(damage)
    with pytest.raises(BadInput, match=r"environment\.json: not a JSON object"):
        Record.load(tmp_path)


def test_facts_survive_disk(tmp_path: Path) -> None:
    """Facts and environment are read back, entries that were added later included."""
    recorder = Recorder(tmp_path, {"steps": 7, "shape": [1, 28, 28]}, {"python": "3.11"})
    recorder.add_environment(seconds=1.5)
    record = Record.load(tmp_path)
    assert record.facts == {"steps": 7, "shape": [1, 28, 28]}
    assert record.environment == {"python": "3.11", "seconds": 1.5}
    assert record.folder == tmp_path


def test_new_run_replaces_the_old_one(tmp_path: Path) -> None:
    """A recorder in a used folder does not mix its rows with the old rows."""
    write_record(tmp_path)
    Recorder(tmp_path, {}, {}).add([Row(1, {"b/y/generator": 2.0})])
    assert set(Record.load(tmp_path).signals) == {"b/y/generator"}


def test_unknown_signal_is_empty() -> None:
    """A signal that was not recorded has no steps, and is NaN at every step."""
    record = Record({})
    assert len(record["a/x/generator"].steps) == 0
    assert math.isnan(record["a/x/generator"].last)
    assert np.isnan(record.at("a/x/generator", np.array([0, 5]))).all()
    assert record.last_step == 0
    assert record.sample_grids() == []


def test_at_takes_newest_before() -> None:
    """At a step, a signal has its newest value at or before that step."""
    record = Record({"a": Signal(np.array([10, 20]), np.array([1.0, 2.0]))})
    np.testing.assert_array_equal(
        record.at("a", np.array([9, 10, 19, 20, 99])), [np.nan, 1, 1, 2, 2]
    )
    assert record["a"].last == 2.0
    assert record.last_step == 20


def test_sample_grids_are_in_order(tmp_path: Path) -> None:
    """Sample grids come oldest first, without the real samples and unfinished files."""
    recorder = Recorder(tmp_path, {}, {})
    for name in ("step-00000100.png", "step-00000020.npy", "real.png", ".step-00000001.png.9.part"):
        (tmp_path / "samples" / name).touch()
    assert [step for step, _ in recorder.record().sample_grids()] == [20, 100]
