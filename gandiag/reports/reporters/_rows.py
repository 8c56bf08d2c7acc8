"""Rows of a record, for reporters that log step by step."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from gandiag.records.record import Row
from gandiag.records.storage import Value, encode_row

#: Probes whose vectors are coordinates, grids or pairs of numbers; only the page draws them.
_NOT_HISTOGRAMS = ("plane/", "objective/", "inputs/")
MAX_BARS = 512  # limit of wandb.Histogram


def encode_uncharted(row: Row) -> str | None:
    """The vectors of a row that no chart shows exactly, as JSON text; None if there are none.

    With them a reader finds the complete record. `MAX_BARS` is the limit of one of the dashboards.
    """
    kept = {
        name: value
        for name, value in row.signals.items()
        if isinstance(value, list)
        and (
            name.startswith(_NOT_HISTOGRAMS)
            or len(value) > MAX_BARS
            or not all(math.isfinite(entry) and entry >= 0 for entry in value)
        )
    }
    return encode_row(row.step, kept).rstrip() if kept else None


def convert_for_logging(
    signals: Mapping[str, Value],
) -> Iterator[tuple[str, float | NDArray[np.float64]]]:
    """Signals for a dashboard: numbers unchanged, vectors of shares as heights of histogram bars.

    Dashboards need finite bars. Entries that are not finite become 0, and ``NAME/not_finite`` gives
    their number. A vector with a negative entry has no shares and is left out.
    """
    for name, value in signals.items():
        if not isinstance(value, list):
            yield name, value
        elif not name.startswith(_NOT_HISTOGRAMS):
            entries = np.asarray(value, np.float64)
            is_finite = np.isfinite(entries)
            bars = np.where(is_finite, entries, 0.0)
            if not is_finite.all():
                yield f"{name}/not_finite", float((~is_finite).sum())
            if (bars >= 0).all():
                yield name, bars
