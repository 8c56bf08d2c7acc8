"""Noun 3: the record, what a run leaves behind. It remembers and never judges.

On disk a record is a folder: ``environment.json`` (where, when and with what it was made, and the
facts of the run), ``signals.jsonl`` (append-only, one line a probed step; non-finite numbers are
the strings "NaN", "Infinity" and "-Infinity") and ``samples/`` (sheets of samples). A run that is
interrupted leaves a folder that opens: a half-written last line is left out.
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
from gandiag.records.aliases import current_facts
from gandiag.records.arrays import align
from gandiag.records.storage import Value, read_rows

SIGNALS, ENVIRONMENT, SAMPLES = "signals.jsonl", "environment.json", "samples"


class Row(NamedTuple):
    """What was measured at one step.

    Attributes:
        step: generator steps completed.
        signals: by name, ``probe/what/player``, a number or a vector; non-finite ones included.
    """

    step: int
    signals: Mapping[str, Value]


class Signal(NamedTuple):
    """One named number (or vector) over steps.

    Attributes:
        steps: ``(n,)`` int64, increasing.
        values: ``(n,)`` or ``(n, k)`` float64; non-finite values are kept.
    """

    steps: NDArray[np.int64]
    values: NDArray[np.float64]

    @property
    def last(self) -> float:
        """The newest value of a scalar signal; NaN where there is none."""
        return float(self.values[-1]) if len(self.values) else math.nan

    def until(self, step: int) -> Signal:
        """The part up to and including `step`."""
        end = int(np.searchsorted(self.steps, step, side="right"))
        return Signal(self.steps[:end], self.values[:end])


EMPTY = Signal(np.empty(0, np.int64), np.empty(0, np.float64))


@dataclass(frozen=True)
class Record:
    """Signals over steps, with the facts of the run.

    Attributes:
        signals: every signal by its name, ``probe/what/player``.
        facts: what was known before the first step, such as ``steps`` (planned) and ``shape``.
        environment: versions, device and times; for the page, never for a detector.
        folder: where it lies, None while only in memory.
    """

    signals: Mapping[str, Signal]
    facts: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    folder: Path | None = None

    def __getitem__(self, name: str) -> Signal:
        """The signal of that name; an empty one where it was not recorded."""
        return self.signals.get(name, EMPTY)

    def at(self, name: str, steps: NDArray[np.int64]) -> NDArray[np.float64]:
        """A scalar signal's newest value at or before each of `steps`; NaN where there is none."""
        signal = self[name]
        return align(steps, signal.steps, signal.values)

    @property
    def last_step(self) -> int:
        """The newest step of any signal; 0 for an empty record."""
        return max((int(s.steps[-1]) for s in self.signals.values() if len(s.steps)), default=0)

    def until(self, step: int) -> Record:
        """The record as it stood at `step`: what a detector asked then would have seen."""
        cut = {name: signal.until(step) for name, signal in self.signals.items()}
        kept = {name: signal for name, signal in cut.items() if len(signal.steps)}
        return Record(kept, self.facts, self.environment, self.folder)

    def sample_grids(self) -> list[tuple[int, Path]]:
        """Sample sheets of the generator as (step, file), oldest first."""
        if self.folder is None:
            return []
        files = sorted((self.folder / SAMPLES).glob("step-*.*"))
        return [(int(file.stem.removeprefix("step-")), file) for file in files]

    @classmethod
    def from_rows(cls, rows: Iterable[Row], **other: Any) -> Record:
        """Build a record from rows in the order of their steps."""
        memory = Columns()
        for row in rows:
            memory.add(row)
        return cls(memory.signals(), **other)

    @classmethod
    def load(cls, folder: Path | str) -> Record:
        """Open a run's folder, finished or not.

        Raises:
            BadInput: the folder holds no record, or a line of it is damaged.
        """
        folder = Path(folder)
        path = folder / SIGNALS
        if not path.is_file():
            raise BadInput(str(folder), f"no record here: {SIGNALS} is missing")
        about = folder / ENVIRONMENT
        try:
            environment = dict(json.loads(about.read_bytes())) if about.is_file() else {}
        except (ValueError, TypeError) as error:
            raise BadInput(str(about), f"not a JSON object ({error})") from error
        facts = current_facts(environment.pop("facts", {}))
        rows = (Row(step, signals) for step, signals in read_rows(path))
        return cls.from_rows(rows, facts=facts, environment=environment, folder=folder)


class Columns:
    """Rows turned into columns as they come; each signal's vectors are of one length."""

    def __init__(self) -> None:
        self._columns: dict[str, _Column] = {}

    def add(self, row: Row) -> None:
        """Append a row."""
        for name, value in row.signals.items():
            if name not in self._columns:
                self._columns[name] = _Column(value)
            self._columns[name].add(row.step, value)

    def signals(self) -> dict[str, Signal]:
        """All that was appended, by name."""
        return {name: column.signal() for name, column in self._columns.items()}


class _Column:
    """A signal that grows: 16 bytes a number, turned into numpy arrays without touching each."""

    def __init__(self, first: Value) -> None:
        self._steps, self._values = array("q"), array("d")
        self._shape = (len(first),) if isinstance(first, list) else ()

    def add(self, step: int, value: Value) -> None:
        self._steps.append(step)
        if isinstance(value, list):
            self._values.extend(value)
        else:
            self._values.append(value)

    def signal(self) -> Signal:
        values = np.array(self._values, np.float64)
        return Signal(np.array(self._steps, np.int64), values.reshape(-1, *self._shape))
