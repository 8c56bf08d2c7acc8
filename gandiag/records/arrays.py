"""Arrays of a record's signals, and aligning one signal to the steps of another."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


Bools = NDArray[np.bool_]


def align(steps: NDArray[np.int64], from_steps: NDArray[np.int64], values: Array) -> Array:
    """The newest of `values` at or before each of `steps`, ``(m,)``; NaN before the first.

    `from_steps` ``(n,)`` increases, and `values` ``(n,)`` are those at them.

    >>> align(np.array([5, 10]), np.array([6, 9]), np.array([1.0, 2.0])).tolist()
    [nan, 2.0]
    """
    if not len(from_steps):
        return np.full(len(steps), np.nan)
    index = np.searchsorted(from_steps, steps, side="right") - 1
    return np.where(index >= 0, values[np.maximum(index, 0)], np.nan)
