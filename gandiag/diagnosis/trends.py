"""Trends of one signal: its rise over a window, and whether the rise may be due to chance."""

from __future__ import annotations

import functools
import math

import numpy as np
from numpy.typing import NDArray

from gandiag.diagnosis.statistics import rolling_statistic, row_medians
from gandiag.records.arrays import Array, Bools

# Fewest values for a trend. The Mann-Kendall test of 8 values without ties reaches p < 0.01 at
# |tau| = 0.79: a few pairs out of order are allowed. With 6 values, none are.
MIN_VALUES = 8


def theil_sen(x: Array, y: Array) -> float:
    """Median rate of change between all pairs of points (Sen 1968); NaN for fewer than two points.

    Args:
        x: ``(n,)`` all different.
        y: ``(n,)``; points whose `y` is not finite are ignored.

    >>> theil_sen(np.arange(5.0), np.array([0.0, 1.0, 2.0, 99.0, 4.0]))
    1.0
    """
    finite = np.isfinite(y)
    x, y = x[finite], y[finite]
    if len(y) < 2:
        return math.nan
    i, j = np.triu_indices(len(y), 1)
    return float(np.median((y[j] - y[i]) / (x[j] - x[i])))


def mann_kendall(y: Array) -> tuple[float, float]:
    """Kendall's tau of a series against time, and its two-sided p-value (normal approximation).

    Ties reduce the variance of the statistic (Gilbert 1987, eq. 16.4).

    Args:
        y: ``(n,)`` in time order; values that are not finite are ignored.

    Returns:
        tau in [-1, 1] and p in [0, 1]; (NaN, 1) for fewer than four values.

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
    # The score is a sum of signs, so it changes in steps: 1 is the continuity correction.
    z = (score - math.copysign(1, score)) / math.sqrt(variance) if score else 0.0
    return score / (n * (n - 1) / 2), math.erfc(abs(z) / math.sqrt(2))


def significant_rise(
    values: Array, window: int = 20, least: int = MIN_VALUES, p: float = 0.01
) -> Array:
    """Rise of a signal over the last `window` evaluations, or 0 where it may be due to chance.

    The rise is Sen's rate of change times the length of the window, also where the record is
    shorter than the window. A rise counts where the Mann-Kendall test gives a p-value below `p`.

    Args:
        values: ``(n,)`` one for each evaluation.
        window: evaluations over which the trend is computed.
        least: fewest evaluations for a trend.
        p: limit of the two-sided p-value.

    Returns:
        ``(n,)`` in the unit of `values`: negative for a fall, NaN for the first `least` - 1.

    >>> [float(significant_rise(values)[-1]) for values in (np.arange(30.0), np.ones(30))]
    [19.0, 0.0]
    """
    rises, p_values = _compute_rises(values.astype(np.float64).tobytes(), window, least)
    return np.where(p_values >= p, 0.0, rises)


# Two detectors compute trends of the same signals. Arrays have no hash, so the key is their bytes.
@functools.lru_cache(maxsize=16)
def _compute_rises(values: bytes, window: int, least: int) -> tuple[Array, Array]:
    """Rise at each evaluation and its p-value; NaN while there are fewer than `least` values."""
    series = np.frombuffer(values)
    rises, p_values = np.full((2, len(series)), np.nan)
    if len(series) < least:
        return rises, p_values
    padding = np.full(window - 1, np.nan)
    padded = np.concatenate([padding, np.where(np.isfinite(series), series, np.nan)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, window)[least - 1 :]
    rates, p_values[least - 1 :] = _compute_trends(windows)
    rises[least - 1 :] = rates * (window - 1)
    return rises, p_values


def _compute_trends(windows: Array) -> tuple[Array, Array]:
    """Sen's rate of change of each row of ``(n, window)``, NaN ignored, and its p-value.

    The result equals that of `theil_sen` and `mann_kendall` for each row. All rows are computed at
    once because a monitor needs them at each evaluation, and 60 rows one by one take 20 ms.
    """
    i, j = _pair_indices(windows.shape[1])
    differences = windows[:, j] - windows[:, i]
    score = np.nansum(np.sign(differences), axis=1)
    count = np.isfinite(windows).sum(1)
    lost = _variance_of_ties((differences == 0).any(1), windows)
    variance = count * (count - 1) * (2 * count + 5) - lost
    z = np.abs(score - np.sign(score)) / np.sqrt(np.maximum(variance, 1) / 18)
    p_values = np.array([math.erfc(each / math.sqrt(2)) for each in z.tolist()])
    p_values[(count < 4) | (variance <= 0)] = 1.0
    return row_medians(differences / (j - i)), p_values


def _variance_of_ties(has_ties: Bools, windows: Array) -> NDArray[np.int64]:
    """18 times the variance that ties remove: sum of t (t - 1) (2t + 5) over groups of t values."""
    lost = np.zeros(len(windows), np.int64)
    rows = windows[has_ties]
    # Each of a group's t values contributes (t - 1) (2t + 5), which gives the factor t.
    group = np.maximum((rows[:, :, None] == rows[:, None, :]).sum(2), 1)
    lost[has_ties] = ((group - 1) * (2 * group + 5)).sum(1)
    return lost


@functools.lru_cache(maxsize=8)
def _pair_indices(count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices of all pairs of `count` values, the earlier value first."""
    return np.triu_indices(count, 1)


def find_improvement(
    distance: Array,
    diversity: Array,
    distance_fall: float,
    diversity_gain: float,
    few_modes: float,
    center: float = -math.inf,
    window: int = 20,
    p: float = 0.01,
) -> Bools:
    """Find the evaluations at which the samples clearly get more diverse or nearer to the data.

    A fall of the distance counts only while diversity is above `few_modes` or distance below
    `center`: one repeated sample that wanders to the center of the data gets nearer, too, but the
    generator learns nothing by that. No repeated sample gets nearer than the center.

    Args:
        distance: ``(n,)`` distance of the samples from the data.
        diversity: ``(n,)`` effective number of modes over that of real samples.
        distance_fall: least fall over the window, as a share of the distance's median.
        diversity_gain: least rise of the diversity over the window.
        few_modes: diversity at or below which all samples may be alike.
        center: distance of one repeated sample in the center of the data.
        window: evaluations over which a trend is computed.
        p: limit of the trend's p-value.

    Returns:
        ``(n,)`` whether the samples get better.

    >>> closer, more = np.linspace(1.0, 0.5, 10), np.full(10, 0.5)
    >>> [bool(find_improvement(closer, each, 0.2, 0.05, 0.2)[-1]) for each in (more, more / 10)]
    [True, False]
    """
    level = np.fmax(rolling_statistic(distance, window), 0)
    several = (rolling_statistic(diversity, 5) > few_modes) | (distance < center)
    fallen = (significant_rise(distance, window, p=p) < -distance_fall * level) & several
    return fallen | (significant_rise(diversity, window, p=p) > diversity_gain)
