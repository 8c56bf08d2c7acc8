"""The finding of an instrument: numbers with their ranges, and a sentence that interprets them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from gandiag.records.storage import encode


class Measure(NamedTuple):
    """One number that an instrument has measured.

    Attributes:
        name: name in snake_case.
        value: mean over independent draws of samples; not finite if the number does not exist.
        low: smallest value of the draws, or the lower end of the interval that `meaning` names.
        high: largest value of the draws, or the upper end of the interval.
        meaning: what the number is, with its unit.
    """

    name: str
    value: float
    low: float
    high: float
    meaning: str


@dataclass(frozen=True)
class Finding:
    """The result of one instrument.

    Attributes:
        instrument: name of the instrument, as in ``gandiag list instruments``.
        summary: one sentence that interprets the numbers, or says why there are none.
        measures: the numbers; empty if nothing could be measured.
        curves: data behind the numbers, by name; all curves have the same length.
        limits: what the instrument cannot show.
    """

    instrument: str
    summary: str
    measures: tuple[Measure, ...] = ()
    curves: Mapping[str, Sequence[float]] = field(default_factory=dict)
    limits: str = ""

    def __getitem__(self, name: str) -> Measure:
        """Return a measure by its name.

        Raises:
            KeyError: there is no such measure.
        """
        return {measure.name: measure for measure in self.measures}[name]

    def as_json(self) -> dict[str, Any]:
        """Return plain data, in which non-finite numbers are strings as in the record."""
        measures = [measure._asdict() for measure in self.measures]
        data: dict[str, Any] = encode({**vars(self), "measures": measures})
        return data


def summarize_draws(name: str, values: Sequence[float], meaning: str) -> Measure:
    """Return the mean and the range of a number over several draws; NaN if one of them is NaN.

    >>> summarize_draws("gap", [1.0, 3.0], "a gap").value
    2.0
    """
    # numpy passes a NaN on: a range over the other draws alone would hide the failure.
    mean, low, high = (float(reduce(values)) for reduce in (np.mean, np.min, np.max))
    return Measure(name, mean, low, high, meaning)
