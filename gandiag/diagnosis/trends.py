"""Trends of one signal: whether it rises, how fast, and whether that may be chance."""

from __future__ import annotations

import functools
import math

import numpy as np
from numpy.typing import NDArray

from gandiag.diagnosis.statistics import row_medians, rolling_statistic
from gandiag.records.arrays import Array, Bools

MIN_VALUES = 8  # values of which a trend can be told


def theil_sen(x: Array, y: Array) -> float:
    """Median of the slopes between all pairs of points (Sen 1968); NaN below two points.

    Points whose `y` is not finite are left out; `x` ``(n,)`` has no value twice.

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

    Tau lies in [-1, 1]. Values that are not finite are left out. Ties are counted in the variance
    (Gilbert 1987, eq. 16.4). Below four points: (NaN, 1).

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


def significant_rise(values: Array, window: int = 20, least: int = MIN_VALUES, p: float = 0.01) -> Array:
    """At each look ``(n,)``, how far the values have risen over the window; 0 if by chance.

    The rise is Sen's slope times the window's length, also while there are fewer looks than that; a
    trend counts where Mann and Kendall's test gives a p-value below `p`. A fall is negative. NaN
    while there are fewer than `least` looks.

    >>> [float(rise(values)[-1]) for values in (np.arange(30.0), np.ones(30))]
    [19.0, 0.0]
    """
    risen, chance = _rises(values.astype(np.float64).tobytes(), window, least)
    return np.where(chance >= p, 0.0, risen)


@functools.lru_cache(maxsize=16)  # two detectors ask about the same signals
def _rises(values: bytes, window: int, least: int) -> tuple[Array, Array]:
    """The rise at each look, NaN while there are too few, and its p-value."""
    series = np.frombuffer(values)
    risen, chance = np.full((2, len(series)), np.nan)
    if len(series) < least:
        return risen, chance
    before = np.full(window - 1, np.nan)
    padded = np.concatenate([before, np.where(np.isfinite(series), series, np.nan)])
    parts = np.lib.stride_tricks.sliding_window_view(padded, window)[least - 1 :]
    slopes, chance[least - 1 :] = _trends(parts)
    risen[least - 1 :] = slopes * (window - 1)
    return risen, chance


def _trends(parts: Array) -> tuple[Array, Array]:
    """Sen's slope of each row of ``(n, window)``, NaN left out, and its p-value.

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
    chance[(count < 4) | (variance <= 0)] = 1.0
    return row_medians(climbs / (j - i)), chance


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


def find_improvement(
    distance: Array,
    diversity: Array,
    nearer: float,
    gain: float,
    few: float,
    middle: float = -math.inf,
    window: int = 20,
    p: float = 0.01,
) -> Bools:
    """At which looks ``(n,)`` the samples get clearly more diverse, or nearer to the data.

    Diversity must rise over the window by more than `gain`, or distance fall by more than the share
    `nearer` of its level. The latter counts only while diversity is above `few` or distance below
    `middle`: one sample that wanders to the middle of the data comes nearer, too, but learns
    nothing; nearer than the middle no single sample gets. `p` is `significant_rise`'s.

    >>> closer, less = np.linspace(1.0, 0.5, 10), np.full(10, 0.05)
    >>> [bool(improving(closer, much, 0.2, 0.05, 0.2)[-1]) for much in (10 * less, less)]
    [True, False]
    """
    level = np.fmax(rolling_statistic(distance, window), 0)
    several = (rolling_statistic(diversity, 5) > few) | (distance < middle)
    fallen = (significant_rise(distance, window, p=p) < -nearer * level) & several
    return fallen | (significant_rise(diversity, window, p=p) > gain)
