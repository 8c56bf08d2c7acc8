"""The record (noun 3 of five): the measurements of a training run. It contains no diagnosis.

On disk a record is a folder with these parts. ``environment.json`` has versions, device and times,
and the facts of the run. ``signals.jsonl`` is only ever appended to and has one line per evaluated
step; non-finite numbers are the strings "NaN", "Infinity" and "-Infinity". A long record has its
rows in `gandiag.records.pages`, too. ``samples/`` has the sample grids. The folder of an
interrupted run opens too: a half-written last line is left out, and so is any other damaged line,
which a warning counts.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gandiag.plugins.errors import BadInput, warn_user
from gandiag.records.arrays import align, find_longest_rise
from gandiag.records.facts import DAMAGE, read_environment
from gandiag.records.pages import Columns, read_pages
from gandiag.records.sample_grids import list_sample_grids
from gandiag.records.storage import Value, decode_row

SIGNALS_FILE, ENVIRONMENT_FILE, SAMPLES_FOLDER = "signals.jsonl", "environment.json", "samples"


class Row(NamedTuple):
    """The measurements of one step.

    Attributes:
        step: number of completed generator steps.
        signals: numbers and vectors by signal name, ``probe/quantity/network``; a value may be NaN
            or infinite.
    """

    step: int
    signals: Mapping[str, Value]


class Signal(NamedTuple):
    """One measured number, or vector, over the steps of a run.

    Attributes:
        steps: ``(n,)`` int64, increasing.
        values: ``(n,)`` or ``(n, k)`` float64; non-finite values are kept.
    """

    steps: NDArray[np.int64]
    values: NDArray[np.float64]

    @property
    def last(self) -> float:
        """The newest value of a scalar signal; NaN for a signal without values."""
        return float(self.values[-1]) if len(self.values) else math.nan

    def until(self, step: int) -> Signal:
        """The part of the signal up to and including `step`."""
        end = int(np.searchsorted(self.steps, step, side="right"))
        return Signal(self.steps[:end], self.values[:end])


EMPTY = Signal(np.empty(0, np.int64), np.empty(0, np.float64))


@dataclass(frozen=True)
class Record:
    """The signals of a run over its steps, and the facts of the run.

    Attributes:
        signals: every recorded signal by its name, ``probe/quantity/network``.
        facts: properties of the run and its data that detectors may use, such as ``steps`` (number
            of planned generator steps) and ``shape`` (of one sample).
        environment: versions, device and times. They appear on the page; no detector reads them, so
            that a diagnosis depends on the training alone.
        folder: the record's folder; None for a record in memory.
    """

    signals: Mapping[str, Signal]
    facts: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    folder: Path | None = None

    def __getitem__(self, name: str) -> Signal:
        """The signal of that name; an empty signal if it was not recorded."""
        return self.signals.get(name, EMPTY)

    def at(self, name: str, steps: NDArray[np.int64]) -> NDArray[np.float64]:
        """A scalar signal's newest value at or before each of `steps`; NaN before its first one."""
        signal = self[name]
        return align(steps, signal.steps, signal.values)

    @property
    def last_step(self) -> int:
        """The largest step of any signal; 0 for an empty record."""
        return max((int(s.steps[-1]) for s in self.signals.values() if len(s.steps)), default=0)

    def until(self, step: int) -> Record:
        """The record as it was at `step`, for a diagnosis without the later measurements."""
        cut = {name: signal.until(step) for name, signal in self.signals.items()}
        # A signal without a value so far is left out: at `step` it was not yet recorded.
        kept = {name: signal for name, signal in cut.items() if len(signal.steps)}
        return Record(kept, self.facts, self.environment, self.folder)

    def rows(self) -> Iterator[Row]:
        """The rows of the record, one for each step, from its columns.

        >>> record = Record.from_rows([Row(0, {"a": 1.0}), Row(5, {"a": 2.0, "b": [0.5, 0.5]})])
        >>> list(record.rows())[1]
        Row(step=5, signals={'a': 2.0, 'b': [0.5, 0.5]})
        """
        rows: dict[int, dict[str, Value]] = {}
        for name, (steps, values) in self.signals.items():
            for step, value in zip(steps.tolist(), values.tolist(), strict=True):
                rows.setdefault(step, {})[name] = value
        return (Row(step, rows[step]) for step in sorted(rows))

    def sample_grids(self) -> list[tuple[int, Path]]:
        """Sample grids of the generator as pairs of step and file, oldest first."""
        if self.folder is None:
            return []
        return list_sample_grids(self.folder / SAMPLES_FOLDER)

    @classmethod
    def from_rows(cls, rows: Iterable[Row], **other: Any) -> Record:
        """Build a record from rows, which are in the order of their steps.

        `other` are further attributes of the record, such as ``facts``.
        """
        buffer = SignalBuffer()
        for row in rows:
            buffer.add(row)
        return cls(buffer.signals(), **other)

    @classmethod
    def load(cls, folder: Path | str) -> Record:
        """Read the record of a run, which may still be going on.

        Raises:
            BadInput: the folder has no record, its environment is damaged, or all of its lines.
        """
        folder = Path(folder)
        signals_file = folder / SIGNALS_FILE
        if not signals_file.is_file():
            raise BadInput(str(folder), f"not a record: {SIGNALS_FILE} is missing")
        # Facts are stored with the environment, but only facts may influence a diagnosis.
        environment, facts = read_environment(folder / ENVIRONMENT_FILE)
        signals, damage = _read_signals(signals_file)
        if damage:
            warn_user(f"{signals_file}: {damage}")
            environment[DAMAGE] = damage
        return cls(signals, facts, environment, folder)


def _read_signals(path: Path) -> tuple[dict[str, Signal], str]:
    """The signals of a ``signals.jsonl``, and a sentence on damaged lines; empty if there are none.

    A damaged line costs that line. A damaged last line is not counted: the run was interrupted
    while the line was being written.

    Raises:
        BadInput: all lines are damaged.
    """
    with path.open("rb") as file:
        pages = read_pages(path.parent, file.seek(0, 2))
        file.seek(pages.end)
        lines = file.read().splitlines()
    rows, steps, problems = SignalBuffer(), array("q"), dict[int, str]()
    numbers = array("q")  # of the lines of `steps`
    for number, line in enumerate(lines, start=1):
        try:
            row = Row(*decode_row(line))
        except ValueError as error:
            problems[number] = str(error)
            continue
        rows.add(row)
        steps.append(row.step)
        numbers.append(number)
    kept: Sequence[int] = range(len(steps))
    if any(later < step for step, later in pairwise(steps)):
        kept = find_longest_rise(steps)
        rows, lost = SignalBuffer(), set(range(len(steps))).difference(kept)
        problems |= {numbers[i]: f"step {steps[i]} is out of order" for i in lost}
        for index in kept:
            rows.add(Row(*decode_row(lines[numbers[index] - 1])))
    if len(lines) > 1 and not steps and not pages.rows:
        raise BadInput(f"{path}:1", f"not a row of a record ({problems[1]})")
    problems.pop(len(lines), None)
    # Lines are numbered as in the whole file, whose first ones are in the pages.
    problems = {number + pages.rows: problem for number, problem in problems.items()}
    damage = _describe_damage(problems, len(lines) + pages.rows, rows.left_out)
    return _append(pages.columns, rows.signals()), damage


def _append(columns: Columns, newest: Mapping[str, Signal]) -> dict[str, Signal]:
    """The signals of the pages, with those of the rows behind them.

    A signal that has another number of entries in the pages, or older steps behind them, keeps the
    values of the pages, which are the most.
    """
    signals = {name: Signal(*column) for name, column in columns.items()}
    for name, new in newest.items():
        old = signals.get(name, EMPTY)
        if not len(old.steps):
            signals[name] = new
        elif new.values.shape[1:] == old.values.shape[1:] and new.steps[0] >= old.steps[-1]:
            signals[name] = Signal(*(np.concatenate(pair) for pair in zip(old, new, strict=True)))
    return signals


def _describe_damage(problems: Mapping[int, str], lines: int, values: int) -> str:
    sentences = []
    if problems:
        first = min(problems)
        sentences.append(
            f"{len(problems)} of {lines} lines are damaged and left out; the first is line {first} "
            f"({problems[first]:.200})."
        )
    if values:
        sentences.append(
            f"{values} values are left out, as their signal has other numbers of entries elsewhere."
        )
    return " ".join(sentences)


class SignalBuffer:
    """Rows in memory, kept as one growing column per signal and number of entries.

    A signal has the same number of entries in every row of a record that gandiag wrote. In a
    damaged one the form that most rows have counts, and `left_out` is the number of other values.
    """

    def __init__(self) -> None:
        # Number of entries; 0 for a scalar.
        self._columns: dict[tuple[str, int], _GrowingColumn] = {}

    def add(self, row: Row) -> None:
        """Append a row."""
        for name, value in row.signals.items():
            key = name, len(value) if isinstance(value, list) else 0
            if key not in self._columns:
                self._columns[key] = _GrowingColumn(value)
            self._columns[key].add(row.step, value)

    def add_columns(self, columns: Columns) -> None:
        """Append columns, such as those of the pages of a record."""
        for name, (steps, values) in columns.items():
            key = name, values.shape[1] if values.ndim > 1 else 0
            if key not in self._columns:
                self._columns[key] = _GrowingColumn(values[0].tolist())
            self._columns[key].extend(steps, values)

    @property
    def left_out(self) -> int:
        """Number of values that `signals` leaves out."""
        return sum(map(len, self._columns.values())) - sum(map(len, self._select().values()))

    def signals(self) -> dict[str, Signal]:
        """Every signal of the appended rows, by name."""
        return {name: column.to_signal() for name, column in self._select().items()}

    def _select(self) -> dict[str, _GrowingColumn]:
        columns: dict[str, _GrowingColumn] = {}
        for (name, _), column in self._columns.items():
            if name not in columns or len(column) > len(columns[name]):
                columns[name] = column
        return columns


class _GrowingColumn:
    """The steps and values of one signal.

    `array.array` takes 16 bytes per scalar measurement (Python objects in lists about 70), and
    numpy copies its buffer as a whole: a dashboard asks for the arrays at every refresh.
    """

    def __init__(self, first: Value) -> None:
        self._steps, self._values = array("q"), array("d")
        self._shape = (len(first),) if isinstance(first, list) else ()

    def __len__(self) -> int:
        return len(self._steps)

    def add(self, step: int, value: Value) -> None:
        self._steps.append(step)
        if isinstance(value, list):
            self._values.extend(value)
        else:
            self._values.append(value)

    def extend(self, steps: NDArray[np.int64], values: NDArray[np.float64]) -> None:
        self._steps.frombytes(steps.tobytes())
        self._values.frombytes(values.tobytes())

    def to_signal(self) -> Signal:
        values = np.array(self._values, np.float64)
        return Signal(np.array(self._steps, np.int64), values.reshape(-1, *self._shape))
