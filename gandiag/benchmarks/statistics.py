"""Intervals and means of the counts of a benchmark.

Wilson's interval of a share stands in `gandiag.comparison.statistics`, which comparisons use too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import chi2


class Interval(NamedTuple):
    """A 95 % confidence interval, from its lower to its upper end."""

    low: float
    high: float


def rule_of_three(trials: int) -> float:
    """Upper 95 % bound of a share after no event in `trials` trials; 1 if there were no trials.

    The bound is 3 / n because (1 - 3/n)^n is about exp(-3), which is just below 0.05 (Hanley and
    Lippman-Hand 1983).

    >>> rule_of_three(150)
    0.02
    """
    return 3 / trials if trials else 1.0


def poisson_interval(count: int, exposure: float, level: float = 0.95) -> Interval:
    """Exact interval of the rate of a Poisson process (Garwood 1936).

    Args:
        count: number of events.
        exposure: how long events were counted, above 0; its unit is the unit of the rate.
        level: probability with which the interval contains the rate.

    >>> low, high = poisson_interval(0, 300.0)
    >>> low, round(high, 4)
    (0.0, 0.0123)
    """
    tail = (1 - level) / 2
    # The quantiles of a Poisson count are those of a chi-square distribution, halved. The lower one
    # is not defined for a count of 0, where no rate is too low.
    low = chi2.ppf(tail, 2 * count) / 2 if count else 0.0
    return Interval(float(low) / exposure, float(chi2.ppf(1 - tail, 2 * count + 2)) / 2 / exposure)


def divide(part: float, whole: float) -> float:
    """``part / whole``, or NaN if `whole` is 0."""
    return part / whole if whole else math.nan


def f1(found: int, missed: int, false: int) -> float:
    """F1 score, the harmonic mean of precision and recall; NaN if all three counts are 0.

    It is computed from counts, not by `sklearn.metrics.f1_score`, which takes one true and one
    predicted class for each run: here one run can be both found and a false alarm, if the first
    alarm came long before the onset.

    Args:
        found: number of true positives.
        missed: number of false negatives.
        false: number of false positives.

    >>> f1(found=3, missed=1, false=1)
    0.75
    """
    return divide(2 * found, 2 * found + missed + false)


def cluster_bootstrap(
    clusters: Sequence[str],
    statistic: Callable[[Sequence[int]], float],
    draws: int = 2000,
    seed: int = 0,
) -> Interval:
    """Percentile interval of a statistic when whole clusters are resampled (Efron 1979).

    The runs of one case with different seeds resemble each other. Resampling single runs would
    treat them as independent and give too narrow an interval.

    Args:
        clusters: name of the cluster of each item.
        statistic: computes the statistic from the indices of items; an index may repeat.
        draws: number of resamples.
        seed: seed of the resampling, so that the same items always give the same interval.

    Returns:
        The 2.5 % and 97.5 % quantiles of the finite values; (NaN, NaN) if there are none.
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
        resampled = stream.integers(len(groups), size=len(groups))
        values.append(statistic([index for group in resampled for index in groups[group]]))
    # The statistic of a resample may be undefined, as is F1 without any present run and alarm.
    finite = np.asarray(values)[np.isfinite(values)]
    if not len(finite):
        return Interval(math.nan, math.nan)
    low, high = np.quantile(finite, [0.025, 0.975])
    return Interval(float(low), float(high))
