"""Pure statistics of one signal: persistence, trends, turns. numpy in, numbers out."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["align", "mann_kendall", "onset_of", "persistent", "recent_median", "theil_sen"]

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]


def persistent(beyond: Bools, clear: Bools, enter: int = 4, window: int = 5) -> Bools:
    """State of a condition at each probe, with hysteresis.

    It begins once `enter` of the last `window` probes lie beyond the gate, and ends once `enter` of
    the last `window` are clear of a looser gate. So one odd probe neither raises nor ends it.

    >>> persistent(np.array([1, 1, 1, 1, 0, 0], bool), np.array([0, 0, 0, 0, 1, 1], bool)).tolist()
    [False, False, False, True, True, True]
    """
    state = np.zeros(len(beyond), dtype=bool)
    on = False
    for i in range(len(beyond)):
        recent = slice(max(0, i - window + 1), i + 1)
        if not on and beyond[recent].sum() >= enter:
            on = True
        elif on and clear[recent].sum() >= enter:
            on = False
        state[i] = on
    return state


def onset_of(state: Bools, beyond: Bools, window: int = 5) -> int | None:
    """Index of the probe at which the state that holds at the end began to show; None if off.

    That is the first probe beyond the gate within the window that turned the state on.
    """
    if not len(state) or not state[-1]:
        return None
    off = np.flatnonzero(~state)
    start = int(off[-1]) + 1 if len(off) else 0
    first = max(0, start - window + 1)
    return first + int(np.argmax(beyond[first : start + 1]))


def theil_sen(x: Array, y: Array) -> float:
    """Median of the slopes between all pairs of points (Sen 1968); NaN below two points.

    >>> theil_sen(np.arange(5.0), np.array([0.0, 1.0, 2.0, 99.0, 4.0]))
    1.0
    """
    good = np.isfinite(y)
    x, y = x[good], y[good]
    if len(y) < 2:
        return math.nan
    i, j = np.triu_indices(len(y), 1)
    return float(np.median((y[j] - y[i]) / (x[j] - x[i])))


def mann_kendall(y: Array) -> tuple[float, float]:
    """Kendall's tau of a series against time, and its two-sided p-value (normal approximation).

    Ties are counted in the variance (Gilbert 1987, eq. 16.4). Below four points: (NaN, 1).

    >>> tau, p = mann_kendall(np.arange(10.0))
    >>> tau, p < 0.001
    (1.0, True)
    """
    y = y[np.isfinite(y)]
    n = len(y)
    if n < 4:
        return math.nan, 1.0
    i, j = np.triu_indices(n, 1)
    score = float(np.sign(y[j] - y[i]).sum())
    _, ties = np.unique(y, return_counts=True)
    variance = (n * (n - 1) * (2 * n + 5) - (ties * (ties - 1) * (2 * ties + 5)).sum()) / 18
    if variance <= 0:
        return 0.0, 1.0
    z = (score - math.copysign(1, score)) / math.sqrt(variance) if score else 0.0
    return score / (n * (n - 1) / 2), math.erfc(abs(z) / math.sqrt(2))


def align(steps: NDArray[np.int64], from_steps: NDArray[np.int64], values: Array) -> Array:
    """The newest of `values` at or before each of `steps`; NaN before the first.

    >>> align(np.array([5, 10]), np.array([6, 9]), np.array([1.0, 2.0])).tolist()
    [nan, 2.0]
    """
    if not len(from_steps):
        return np.full(len(steps), np.nan)
    index = np.searchsorted(from_steps, steps, side="right") - 1
    return np.where(index >= 0, values[np.maximum(index, 0)], np.nan)


def recent_median(values: Array, looks: int = 5) -> float:
    """Median of the finite ones among the newest values; NaN where there are none.

    >>> recent_median(np.array([9.0, 1.0, np.nan, 3.0]), looks=3)
    2.0
    """
    newest = values[-looks:]
    finite = newest[np.isfinite(newest)]
    return float(np.median(finite)) if len(finite) else math.nan
