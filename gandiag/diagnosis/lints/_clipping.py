"""Whether a discriminator's weights are clipped, as far as their sizes show it."""

from __future__ import annotations

import numpy as np

from gandiag.records.arrays import Array, Bools
from gandiag.records.record import Record

__all__ = ["AT_BOUND", "BEFORE", "LARGEST", "LARGEST_AT_G", "clipped"]

LARGEST, LARGEST_AT_G = "loop/largest/discriminator", "loop/largest/generator"
BEFORE, AT_BOUND = "loop/largest_before/discriminator", "loop/at_bound/discriminator"

SAME = 1e-6  # relative; float32's last digit, and what the record keeps


def clipped(record: Record) -> Bools:
    """At each look at D's turn: the largest weight is the same number as at the look before.

    Weights that are trained without a bound never repeat their largest to the last digit.
    """
    _, largest = record[LARGEST]
    return np.asarray(_same(largest, np.concatenate([[np.nan], largest[:-1]])))


def _same(one: Array, other: Array) -> Bools:
    return np.asarray(np.abs(one - other) <= SAME * np.abs(one))
