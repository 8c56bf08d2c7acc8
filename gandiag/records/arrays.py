"""Array types of a record's signals, and the alignment of one signal to the steps of another."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]


def align(steps: NDArray[np.int64], from_steps: NDArray[np.int64], values: Array) -> Array:
    """The newest value at or before each step.

    Args:
        steps: ``(m,)`` steps to align to.
        from_steps: ``(n,)`` steps of `values`, increasing.
        values: ``(n,)`` one value per step of `from_steps`.

    Returns:
        ``(m,)`` values; NaN before the first of `from_steps`.

    >>> align(np.array([5, 10]), np.array([6, 9]), np.array([1.0, 2.0])).tolist()
    [nan, 2.0]
    """
    if not len(from_steps):
        return np.full(len(steps), np.nan)
    # With side="right" the index of the first later step is found; the entry before it is wanted.
    index = np.searchsorted(from_steps, steps, side="right") - 1
    return np.where(index >= 0, values[np.maximum(index, 0)], np.nan)
