"""Whether a discriminator's weights are clipped, as far as their sizes show it."""

from __future__ import annotations

import numpy as np

from gandiag.monitoring.signals import MAX_WEIGHT
from gandiag.records.arrays import Array, Bools
from gandiag.records.record import Record

SAME = 1e-6  # relative; float32's last digit, and what the record keeps


def is_clipped(record: Record) -> Bools:
    """At each look at D's turn: the largest weight is the same number as at the look before.

    Weights that are trained without a bound never repeat their largest to the last digit.
    """
    _, largest = record[MAX_WEIGHT]
    return np.asarray(_same(largest, np.concatenate([[np.nan], largest[:-1]])))


def _same(one: Array, other: Array) -> Bools:
    return np.asarray(np.abs(one - other) <= SAME * np.abs(one))
