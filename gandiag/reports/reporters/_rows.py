"""A record's rows, for what logs step by step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from gandiag.records.record import Record, Row, Value

_NO_BARS = ("plane/", "objective/")  # coordinates, a grid, and pairs: the page shows them


def rows_of(record: Record, after: int = -1) -> Iterator[Row]:
    """A record's columns as the rows that they were made of, those later than step `after`.

    >>> record = Record.from_rows([Row(0, {"a": 1.0}), Row(5, {"a": 2.0, "b": [0.5, 0.5]})])
    >>> list(rows_of(record, after=0))
    [Row(step=5, signals={'a': 2.0, 'b': [0.5, 0.5]})]
    """
    rows: dict[int, dict[str, Value]] = {}
    for name, (steps, values) in record.signals.items():
        for step, value in zip(steps.tolist(), values.tolist(), strict=True):
            if step > after:
                rows.setdefault(step, {})[name] = value
    return (Row(step, rows[step]) for step in sorted(rows))


def loggable(signals: Mapping[str, Value]) -> Iterator[tuple[str, float | NDArray[np.float64]]]:
    """Numbers as they are, vectors of shares as the heights of a histogram's bars.

    Bars are finite and not negative: ``NAME/not_finite`` counts the entries that were not finite,
    and a vector with negative entries is none of shares and is left out.
    """
    for name, value in signals.items():
        if not isinstance(value, list):
            yield name, value
        elif not name.startswith(_NO_BARS):
            entries = np.asarray(value, np.float64)
            strange = ~np.isfinite(entries)
            bars = np.where(strange, 0.0, entries)
            if strange.any():
                yield f"{name}/not_finite", float(strange.sum())
            if (bars >= 0).all():
                yield name, bars
