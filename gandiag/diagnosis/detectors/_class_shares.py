"""Classes of the data that the generator does not generate, from the histogram of a classifier."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gandiag.monitoring.signals import CLASS_HISTOGRAM
from gandiag.records.arrays import Array, Bools, align
from gandiag.records.record import Record

# Newest evaluations over which a majority decides whether a class is missing: one histogram of 512
# samples has about 50 of each of ten classes, and a rare class may fall below its limit by chance.
RECENT = 5


def missing_class_share(record: Record, steps: NDArray[np.int64], missing_below: float) -> Array:
    """Share of the real data whose classes are missing among the samples, at each step.

    Args:
        record: the run so far.
        steps: ``(n,)`` of the evaluations.
        missing_below: share of its real share below which a class counts as missing.

    Returns:
        ``(n,)`` in [0, 1]; NaN where no class histogram or no real share is known.
    """
    class_steps, missing, real_shares = _find_missing_classes(record, missing_below)
    return align(steps, class_steps, (missing * real_shares).sum(1))


def name_missing_classes(record: Record, missing_below: float) -> str:
    """Write a sentence that lists the missing classes; empty if none is missing."""
    _, missing, _ = _find_missing_classes(record, missing_below)
    recent = missing[-RECENT:]
    names = np.flatnonzero(2 * recent.sum(0) > len(recent))
    if not len(names):
        return ""
    limit = f"below {missing_below:.0%} of their real share"
    return f"Missing classes ({limit}): {', '.join(map(str, names))}."


def has_single_class(record: Record, missing_below: float) -> bool:
    """Whether all classes but one, or all of them, are missing at most of the newest evaluations.

    Always False for data of one class.
    """
    _, missing, real_shares = _find_missing_classes(record, missing_below)
    generated = len(real_shares) - missing[-RECENT:].sum(1)
    return len(real_shares) > 1 and bool(2 * (generated <= 1).sum() > len(generated))


def _find_missing_classes(
    record: Record, missing_below: float
) -> tuple[NDArray[np.int64], Bools, Array]:
    """Steps ``(m,)`` of the histograms, missing classes ``(m, K)`` at each, real shares ``(K,)``.

    All three are empty where the classes of the histogram are not those of the data.
    """
    real_shares = np.asarray(record.facts.get("class_shares", ()), dtype=float)
    steps, shares = record[CLASS_HISTOGRAM]
    if shares.shape[1:] != real_shares.shape:
        return steps[:0], np.zeros((0, 0), dtype=bool), real_shares[:0]
    return steps, shares < missing_below * real_shares, real_shares
