"""Array types of a record's signals, and the alignment of one signal to the steps of another."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

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


def find_longest_rise(steps: Sequence[int]) -> list[int]:
    """Indices of the longest part of `steps` that never falls; all of them where none falls.

    One wrong step in the middle thus costs its own row, whether it is too small or too large.

    >>> find_longest_rise([1, 2, 900, 3, 0, 3, 4])
    [0, 1, 3, 5, 6]
    """
    ends: list[int] = []  # smallest last step of a rise of each length
    at: list[int] = []  # its index
    before: list[int] = []  # by index, the index before it in its rise
    for index, step in enumerate(steps):
        length = bisect_right(ends, step)
        before.append(at[length - 1] if length else -1)
        ends[length : length + 1], at[length : length + 1] = [step], [index]
    rise = [at[-1]] if at else []
    while rise and before[rise[-1]] >= 0:
        rise.append(before[rise[-1]])
    return rise[::-1]
