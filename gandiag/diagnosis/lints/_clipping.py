"""Whether a discriminator's weights are clipped, from the size of its largest weight."""

from __future__ import annotations

import numpy as np

from gandiag.monitoring.signals import MAX_WEIGHT
from gandiag.records.arrays import Bools
from gandiag.records.record import Record

# Relative difference of two weights that count as equal: the rounding of 32-bit numbers and of the
# record.
SAME = 1e-6


def is_clipped(record: Record) -> Bools:
    """Find the discriminator steps at which the largest weight is the same as one step before.

    Trained weights without a bound never repeat their largest absolute value to the last digit.
    Clipped weights do, because some weight is always at the bound.

    Returns:
        ``(n,)``, one for each evaluation of `MAX_WEIGHT`; False at the first one.
    """
    _, largest = record[MAX_WEIGHT]
    previous = np.concatenate([[np.nan], largest[:-1]])
    with np.errstate(invalid="ignore"):  # inf - inf is NaN, which is not smaller than anything
        return np.asarray(np.abs(largest - previous) <= SAME * np.abs(largest))
