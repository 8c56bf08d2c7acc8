"""What an instrument finds: numbers with their ranges, and what they say in one sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from gandiag.records.storage import encode


class Measure(NamedTuple):
    """One number that an instrument found.

    Attributes:
        name: in snake_case.
        value: the mean over independent draws of samples; non-finite where there is no such number.
        low: the least of the draws, or the lower end of the interval that `meaning` names.
        high: the largest, or the upper end.
        meaning: what the number says, with its unit.
    """

    name: str
    value: float
    low: float
    high: float
    meaning: str


@dataclass(frozen=True)
class Finding:
    """What one instrument found.

    Attributes:
        instrument: its name in the catalogue.
        says: what the numbers say, in one sentence; why there are none where there are none.
        measures: the numbers.
        curves: what they were read from, by name: numbers of equal length over some axis.
        limits: what the instrument cannot say.
    """

    instrument: str
    summary: str
    measures: tuple[Measure, ...] = ()
    curves: Mapping[str, Sequence[float]] = field(default_factory=dict)
    limits: str = ""

    def __getitem__(self, name: str) -> Measure:
        """The measure of that name; raises KeyError where there is none."""
        return {measure.name: measure for measure in self.measures}[name]

    def as_json(self) -> dict[str, Any]:
        """Return plain data; non-finite numbers become strings, as in the record."""
        found = {**vars(self), "measures": [measure._asdict() for measure in self.measures]}
        return {name: encode(value) for name, value in found.items()}


def summarize_draws(name: str, draws: Sequence[float], meaning: str) -> Measure:
    """A measure from independent draws: their mean, and their range; NaN if one of them is.

    >>> ranged("gap", [1.0, 3.0], "a gap").value
    2.0
    """
    return Measure(name, float(np.mean(draws)), float(np.min(draws)), float(np.max(draws)), meaning)
