"""Pure statistics of one signal: persistence, trends, turns. numpy in, numbers out."""

from __future__ import annotations

import functools
import math
import statistics
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
    on, state = False, []
    entering, leaving = (_of_last(shown, window) for shown in (beyond, clear))
    for beyond_now, clear_now in zip(entering, leaving, strict=True):
        on = clear_now < enter if on else beyond_now >= enter
        state.append(on)
    return np.array(state, dtype=bool)


def _of_last(shown: Bools, window: int) -> list[int]:
    """How many of the last looks, this one included, show it."""
    counts = np.cumsum(shown, dtype=np.int64)
    counts[window:] -= counts[:-window].copy()
    held: list[int] = counts.tolist()
    return held


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
    finite = [value for value in values[-looks:].tolist() if math.isfinite(value)]
    return statistics.median(finite) if finite else math.nan  # a tenth of numpy's time on a few


def rise(values: Array, window: int = 20, least: int = LEAST, p: float = 0.01) -> Array:
    """At each look, how far the values have risen over the window before it; 0 if by chance.

    The rise is Sen's slope times the window's length, also while there are fewer looks than that; a
    trend counts where Mann and Kendall's test gives a p-value below `p`. A fall is negative. NaN
    while there are fewer than `least` looks.

    >>> [float(rise(values)[-1]) for values in (np.arange(30.0), np.ones(30))]
    [19.0, 0.0]
    """
    return _rises(values.astype(np.float64).tobytes(), window, least, p).copy()


@functools.lru_cache(maxsize=16)  # two detectors ask about the same signals
def _rises(values: bytes, window: int, least: int, p: float) -> Array:
    series = np.frombuffer(values)
    risen = np.full(len(series), np.nan)
    if len(series) < least:
        return risen
    before = np.full(window - 1, np.nan)
    padded = np.concatenate([before, np.where(np.isfinite(series), series, np.nan)])
    parts = np.lib.stride_tricks.sliding_window_view(padded, window)[least - 1 :]
    risen[least - 1 :] = _trends(parts, p) * (window - 1)
    return risen


def _trends(parts: Array, p: float) -> Array:
    """Sen's slope of each row of ``(n, window)``, NaN left out; 0 where it may be chance.

    The twin of `theil_sen` where `mann_kendall` is certain, for all rows at once: a detector asks
    for them at each look, and 60 rows one by one take 20 ms.
    """
    i, j = _pairs(parts.shape[1])
    climbs = parts[:, j] - parts[:, i]
    score = np.nansum(np.sign(climbs), axis=1)
    count = np.isfinite(parts).sum(1)
    variance = count * (count - 1) * (2 * count + 5) - _ties((climbs == 0).any(1), parts)
    z = np.abs(score - np.sign(score)) / np.sqrt(np.maximum(variance, 1) / 18)
    chance = np.array([math.erfc(each / math.sqrt(2)) for each in z.tolist()])
    certain = (chance < p) & (count >= 4) & (variance > 0)
    slopes = np.zeros(len(parts))
    slopes[certain] = _medians(climbs[certain] / (j - i))
    return slopes


def _ties(tied: Bools, parts: Array) -> NDArray[np.int64]:
    """What ties take off the variance of the score: sum of t (t - 1) (2t + 5) over groups of t."""
    lost = np.zeros(len(parts), np.int64)
    rows = parts[tied]
    group = np.maximum((rows[:, :, None] == rows[:, None, :]).sum(2), 1)  # of each value
    lost[tied] = ((group - 1) * (2 * group + 5)).sum(1)
    return lost


@functools.lru_cache(maxsize=8)
def _pairs(count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices of all pairs of so many looks, the earlier ones first."""
    return np.triu_indices(count, 1)


def _medians(rows: Array) -> Array:
    """Median of each row's numbers; NaN where it has none. Ten times as fast as nanmedian."""
    ordered = np.sort(rows, axis=1)  # NaN last
    count = rows.shape[1] - np.isnan(rows).sum(1)
    low, high, every = np.maximum(count - 1, 0) // 2, count // 2, np.arange(len(rows))
    with np.errstate(invalid="ignore"):  # infinity less infinity
        return np.asarray((ordered[every, low] + ordered[every, high]) / 2)


def rolling(values: Array, window: int, statistic: Callable[..., Any] | None = None) -> Array:
    """A statistic of each value with those before it in the window; NaN where none is finite.

    The statistic takes an axis and leaves NaN out; it is the median unless told otherwise.

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
        rows = parts[known]
        taken[known] = _medians(rows) if statistic is None else statistic(rows, axis=1)
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
