"""Which classes of the data the generator hardly makes, where a classifier has looked."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gandiag.monitoring.signals import CLASS_HISTOGRAM
from gandiag.records.arrays import Array, Bools, align
from gandiag.records.record import Record


def missing_class_share(record: Record, steps: NDArray[np.int64], hardly: float) -> Array:
    """Real share of the classes hardly made at each step; NaN where classes are unknown.

    Args:
        record: the run so far.
        steps: at which it is asked.
        hardly: share of its real share below which a class is hardly made.
    """
    seen, unmade, shares = _classes(record, hardly)
    return align(steps, seen, (unmade * shares).sum(1))


def name_missing_classes(record: Record, hardly: float) -> str:
    """A sentence on the classes hardly made at most of the last 5 looks; empty if none are."""
    _, unmade, _ = _classes(record, hardly)
    missed = np.flatnonzero(2 * unmade[-5:].sum(0) > len(unmade[-5:]))
    return f"Classes hardly made: {', '.join(map(str, missed))}." if len(missed) else ""


def has_single_class(record: Record, hardly: float) -> bool:
    """Whether all but one of several classes are hardly made, at most of the last 5 looks."""
    _, unmade, shares = _classes(record, hardly)
    made = len(shares) - unmade[-5:].sum(1)
    return len(shares) > 1 and bool(2 * (made <= 1).sum() > len(made))


def _classes(record: Record, hardly: float) -> tuple[NDArray[np.int64], Bools, Array]:
    """Steps of the looks, which classes were hardly made at each, and their real shares."""
    shares = np.asarray(record.facts.get("class_shares", ()), dtype=float)
    seen, made = record[CLASS_HISTOGRAM]
    if made.shape[1:] != shares.shape:
        return seen[:0], np.zeros((0, 0), dtype=bool), shares[:0]
    return seen, made < hardly * shares, shares
