"""Pure statistics of one signal: persistence, trends, turns. numpy in, numbers out."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "LEAST",
    "align",
    "effective_number",
    "improving",
    "mann_kendall",
    "onset_of",
    "persistent",
    "recent_median",
    "rise",
    "rolling",
    "theil_sen",
]

LEAST = 8  # values of which a trend can be told

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


def onset_of(state: Bools, beyond: Bools, enter: int = 4, window: int = 5) -> int | None:
    """Index of the look at which the state that holds at the end began to show; None if it is off.

    From where the state was turned on, that goes back as long as `enter` of `window` looks lay
    beyond the gate: also into a warm-up in which nothing was judged yet.

    >>> onset_of(np.array([0, 0, 0, 0, 1, 1], bool), np.array([0, 1, 1, 1, 1, 1], bool))
    1
    """
    if not len(state) or not state[-1]:
        return None
    off = np.flatnonzero(~state)
    end = int(off[-1]) + 2 if len(off) else 1
    while end > window and beyond[end - window - 1 : end - 1].sum() >= enter:
        end -= 1
    begin = max(0, end - window)
    return begin + int(np.argmax(beyond[begin:end]))


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


def rise(values: Array, window: int = 20, least: int = LEAST, p: float = 0.01) -> Array:
    """At each look, how far the values have risen over the window before it; 0 if by chance.

    The rise is Sen's slope times the window's length; a trend counts where Mann and Kendall's test
    gives a p-value below `p`. A fall is negative. NaN while there are fewer than `least` looks.

    >>> [float(rise(values)[-1]) for values in (np.arange(30.0), np.ones(30))]
    [19.0, 0.0]
    """
    risen = _whole_rises(values, window, p)
    for end in range(least, len(values) + 1):
        if np.isnan(risen[end - 1]):
            risen[end - 1] = _rise(values[max(0, end - window) : end], p)
    return risen


def _rise(part: Array, p: float) -> float:
    significant = mann_kendall(part)[1] < p
    looks = np.arange(float(len(part)))
    return theil_sen(looks, part) * (len(part) - 1) if significant else 0.0


def _whole_rises(values: Array, window: int, p: float) -> Array:
    """The same for all whole windows of finite values without ties at once; NaN for the others.

    A detector asks for them at each look: one by one, 60 looks take 20 ms.
    """
    risen = np.full(len(values), np.nan)
    if len(values) < window or window < 4:
        return risen
    i, j = np.triu_indices(window, 1)
    parts = np.lib.stride_tricks.sliding_window_view(values, window)
    with np.errstate(invalid="ignore"):  # infinity less infinity
        climbs = parts[:, j] - parts[:, i]
    plain = np.isfinite(parts).all(1) & (climbs != 0).all(1)
    score = np.sign(climbs[plain]).sum(1)
    variance = window * (window - 1) * (2 * window + 5) / 18
    z = (score - np.sign(score)) / math.sqrt(variance)
    significant = np.array([math.erfc(abs(each) / math.sqrt(2)) < p for each in z], dtype=bool)
    slopes = np.median(climbs[plain] / (j - i), axis=1)
    risen[window - 1 :][plain] = np.where(significant, slopes * (window - 1), 0.0)
    return risen


def rolling(values: Array, window: int, statistic: Callable[..., Any] = np.nanmedian) -> Array:
    """A statistic of each value with those before it in the window; NaN where none is finite.

    The statistic takes an axis and leaves NaN out.

    >>> rolling(np.array([np.nan, 1.0, 5.0, 3.0]), window=3).tolist()
    [nan, 1.0, 3.0, 3.0]
    """
    taken = np.full(len(values), np.nan)
    if not len(values):
        return taken
    before = np.full(window - 1, np.nan)
    parts = np.lib.stride_tricks.sliding_window_view(np.concatenate([before, values]), window)
    known = np.isfinite(parts).any(1)
    if known.any():
        taken[known] = statistic(parts[known], axis=1)
    return taken


def improving(
    distance: Array, diversity: Array, nearer: float, gain: float, few: float, window: int = 20
) -> Bools:
    """Where the samples get clearly more diverse, or nearer to the data.

    Diversity must rise over the window by more than `gain`, or distance fall by more than the share
    `nearer` of its level. The latter counts only while diversity is above `few`: one sample that
    wanders to the middle of the data comes nearer, too, but learns nothing.

    >>> closer, less = np.linspace(1.0, 0.5, 10), np.full(10, 0.05)
    >>> [bool(improving(closer, much, 0.2, 0.05, 0.2)[-1]) for much in (10 * less, less)]
    [True, False]
    """
    level = np.fmax(rolling(distance, window), 0)
    fallen = (rise(distance, window) < -nearer * level) & (rolling(diversity, 5) > few)
    return fallen | (rise(diversity, window) > gain)


def effective_number(shares: Array) -> float:
    """How many equal bins would be as diverse as these: exp of the histogram's entropy.

    >>> round(effective_number(np.array([0.25, 0.25, 0.5, 0.0])), 2)
    2.83
    """
    held = shares[shares > 0]
    return float(np.exp(-(held * np.log(held)).sum()))
