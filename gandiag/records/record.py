"""The record (noun 3 of five): the measurements of a training run. It contains no diagnosis.

On disk a record is a folder with three parts. ``environment.json`` has versions, device and times,
and the facts of the run. ``signals.jsonl`` is only ever appended to and has one line per evaluated
step; non-finite numbers are the strings "NaN", "Infinity" and "-Infinity". ``samples/`` has the
sample grids. The folder of an interrupted run opens too: a half-written last line is left out.
"""

from __future__ import annotations

import json
import math
from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gandiag.plugins.errors import BadInput
from gandiag.records.arrays import align
from gandiag.records.storage import Value, decode_facts, read_rows

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

    def sample_grids(self) -> list[tuple[int, Path]]:
        """Sample grids of the generator as pairs of step and file, oldest first."""
        if self.folder is None:
            return []
        # The pattern leaves out real samples and unfinished files, which begin with a dot.
        files = sorted((self.folder / SAMPLES_FOLDER).glob("step-*.*"))
        return [(int(file.stem.removeprefix("step-")), file) for file in files]

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
            BadInput: the folder has no record, or a line other than the last is damaged.
        """
        folder = Path(folder)
        signals_file, environment_file = folder / SIGNALS_FILE, folder / ENVIRONMENT_FILE
        if not signals_file.is_file():
            raise BadInput(str(folder), f"not a record: {SIGNALS_FILE} is missing")
        environment: dict[str, Any] = {}
        try:
            if environment_file.is_file():
                environment = dict(json.loads(environment_file.read_bytes()))
        except (ValueError, TypeError) as error:
            raise BadInput(str(environment_file), f"not a JSON object ({error})") from error
        # Facts are stored with the environment, but only facts may influence a diagnosis.
        facts = decode_facts(environment.pop("facts", {}))
        rows = (Row(step, signals) for step, signals in read_rows(signals_file))
        return cls.from_rows(rows, facts=facts, environment=environment, folder=folder)


class SignalBuffer:
    """Rows in memory, kept as one growing column per signal.

    A vector signal has the same length in every row.
    """

    def __init__(self) -> None:
        self._columns: dict[str, _GrowingColumn] = {}

    def add(self, row: Row) -> None:
        """Append a row."""
        for name, value in row.signals.items():
            if name not in self._columns:
                self._columns[name] = _GrowingColumn(value)
            self._columns[name].add(row.step, value)

    def signals(self) -> dict[str, Signal]:
        """Every signal of the appended rows, by name."""
        return {name: column.to_signal() for name, column in self._columns.items()}


class _GrowingColumn:
    """The steps and values of one signal.

    `array.array` takes 16 bytes per scalar measurement (Python objects in lists about 70), and
    numpy copies its buffer as a whole: a dashboard asks for the arrays at every refresh.
    """

    def __init__(self, first: Value) -> None:
        self._steps, self._values = array("q"), array("d")
        self._shape = (len(first),) if isinstance(first, list) else ()

    def add(self, step: int, value: Value) -> None:
        self._steps.append(step)
        if isinstance(value, list):
            self._values.extend(value)
        else:
            self._values.append(value)

    def to_signal(self) -> Signal:
        values = np.array(self._values, np.float64)
        return Signal(np.array(self._steps, np.int64), values.reshape(-1, *self._shape))
