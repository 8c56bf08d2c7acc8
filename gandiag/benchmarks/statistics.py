"""Intervals and means of what a benchmark counts. Counts in, numbers out."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import chi2

NORMAL = 1.959963984540054  # two-sided 95 %


class Interval(NamedTuple):
    """A confidence interval."""

    low: float
    high: float


def wilson(successes: int, trials: int, z: float = NORMAL) -> Interval:
    """Wilson's score interval of a share (Wilson 1927); (0, 1) where nothing was tried.

    >>> low, high = wilson(0, 60)
    >>> round(low, 4), round(high, 4)
    (0.0, 0.0602)
    """
    if not trials:
        return Interval(0.0, 1.0)
    share, room = successes / trials, z * z / trials
    middle = (share + room / 2) / (1 + room)
    half = z / (1 + room) * math.sqrt(share * (1 - share) / trials + room / (4 * trials))
    return Interval(max(middle - half, 0.0), min(middle + half, 1.0))


def none_in(trials: int) -> float:
    """Upper 95 % bound of a share that was 0 in so many trials: the rule of three.

    >>> none_in(150)
    0.02
    """
    return 3 / trials if trials else 1.0


def poisson_interval(count: int, exposure: float, level: float = 0.95) -> Interval:
    """Exact interval of a rate (Garwood 1936).

    >>> low, high = poisson_interval(0, 300.0)
    >>> low, round(high, 4)
    (0.0, 0.0123)
    """
    tail = (1 - level) / 2
    low = chi2.ppf(tail, 2 * count) / 2 if count else 0.0
    return Interval(float(low) / exposure, float(chi2.ppf(1 - tail, 2 * count + 2)) / 2 / exposure)


def ratio(part: float, whole: float) -> float:
    """A share; NaN of nothing."""
    return part / whole if whole else math.nan


def f1(found: int, missed: int, false: int) -> float:
    """Harmonic mean of precision and recall; NaN where there is nothing to find or to blame.

    >>> f1(found=3, missed=1, false=1)
    0.75
    """
    return ratio(2 * found, 2 * found + missed + false)


def cluster_bootstrap(
    clusters: Sequence[str],
    statistic: Callable[[Sequence[int]], float],
    draws: int = 2000,
    seed: int = 0,
) -> Interval:
    """Percentile interval of a statistic when whole clusters are drawn again (Efron 1979).

    Args:
        clusters: which cluster each item belongs to; the items of one are alike.
        statistic: of the indices of items, which may repeat.
        draws: resamples.
        seed: of the draws.

    Returns:
        The 2.5 % and 97.5 % quantiles of the finite ones; (NaN, NaN) where there are none.
    """
    members: dict[str, list[int]] = {}
    for index, cluster in enumerate(clusters):
        members.setdefault(cluster, []).append(index)
    groups = list(members.values())
    if not groups:
        return Interval(math.nan, math.nan)
    stream = np.random.default_rng(seed)
    values = []
    for _ in range(draws):
        drawn = stream.integers(len(groups), size=len(groups))
        values.append(statistic([index for group in drawn for index in groups[group]]))
    finite = np.asarray(values)[np.isfinite(values)]
    if not len(finite):
        return Interval(math.nan, math.nan)
    low, high = np.quantile(finite, [0.025, 0.975])
    return Interval(float(low), float(high))
