"""Statistics of paired runs: exact tests, correction for multiple tests, and intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import binomtest

SIGNIFICANCE_LEVEL = 0.05  # A corrected p-value below this level counts as beyond chance.
# Resamples of a bootstrap interval. Its ends are then the 51st smallest and the 51st largest
# resampled median, so they hardly depend on the resampling.
BOOTSTRAP_RESAMPLES = 2000


class Rate(NamedTuple):
    """The share of runs in which a condition is present, with Wilson's 95 % interval.

    Attributes:
        present: number of runs in which the condition is present.
        evaluated: number of runs in which the condition is present or absent, not inconclusive.
        low: lower end of the interval of ``present / evaluated``, in [0, 1].
        high: upper end of the interval, in [0, 1].
    """

    present: int
    evaluated: int
    low: float
    high: float


class Estimate(NamedTuple):
    """A median over seeds with its 95 % bootstrap interval; all NaN if nothing was measured."""

    value: float
    low: float
    high: float


def wilson_interval(successes: int, trials: int) -> tuple[float, float]:
    """Return Wilson's 95 % score interval of a share (Wilson 1927, JASA 22).

    Unlike the normal approximation, the interval stays in [0, 1] and has a width above 0 also for
    shares of 0 and 1, which are common with ten runs. It is (0, 1) if there were no trials.

    >>> low, high = wilson_interval(8, 8)
    >>> round(low, 4), high
    (0.6756, 1.0)
    """
    if not trials:
        return 0.0, 1.0
    interval = binomtest(successes, trials).proportion_ci(method="wilson")
    return float(interval.low), float(interval.high)


def estimate_rate(present: int, evaluated: int) -> Rate:
    """Return the share ``present / evaluated`` with its interval.

    >>> estimate_rate(0, 0)
    Rate(present=0, evaluated=0, low=0.0, high=1.0)
    """
    return Rate(present, evaluated, *wilson_interval(present, evaluated))


def sign_test(better: int, worse: int) -> float:
    """Return the exact two-sided p-value of a comparison of pairs.

    For a condition that is present or absent, this is McNemar's exact test (McNemar 1947). For a
    number, it is the sign test. Pairs without a difference carry no information and are left out.

    Args:
        better: number of pairs in which the fix did better than the baseline.
        worse: number of pairs in which the fix did worse.

    >>> sign_test(8, 0), sign_test(1, 1)
    (0.0078125, 1.0)
    """
    discordant = better + worse
    return float(binomtest(better, discordant).pvalue) if discordant else 1.0


def adjust_p_values(p_values: Sequence[float]) -> list[float]:
    """Correct p-values for their number by Holm's method (Holm 1979).

    The probability of even one false claim then stays below the significance level, whether the
    tests depend on each other or not.

    >>> [round(p, 3) for p in adjust_p_values([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    adjusted, highest = [math.nan] * len(p_values), 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        # The running maximum keeps the order: a larger p-value never gets a smaller correction.
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = highest
    return adjusted


def seeds_needed(fixes: int) -> int:
    """Return the smallest number of seeds with which each of several fixes could be confirmed.

    This is the best case: every run fails without the fix, and no run fails with the fix.

    >>> seeds_needed(1), seeds_needed(3)
    (6, 7)
    """
    # The bound only ends the search: with 63 seeds one of 10^17 fixes could be confirmed.
    return next(n for n in range(1, 64) if fixes * sign_test(n, 0) <= SIGNIFICANCE_LEVEL)


def estimate_median(values: Sequence[float], seed: int = 0) -> Estimate:
    """Return the median with its 95 % percentile bootstrap interval (Efron 1979).

    NaNs are left out. Infinite values count as large numbers. The interval's ends are therefore
    order statistics and not interpolated: no number lies between a finite and an infinite one.

    Args:
        values: one value per seed.
        seed: seed of the resampling, so that the same values always give the same interval.

    >>> estimate_median([3.0, 1.0, 2.0]).value
    2.0
    """
    known = np.asarray([value for value in values if not math.isnan(value)], float)
    if not len(known):
        return Estimate(math.nan, math.nan, math.nan)
    shape = (BOOTSTRAP_RESAMPLES, len(known))
    resampled = np.random.default_rng(seed).integers(len(known), size=shape)
    medians = np.sort(np.median(known[resampled], axis=1))
    low = medians[int(0.025 * BOOTSTRAP_RESAMPLES)]
    high = medians[int(0.975 * BOOTSTRAP_RESAMPLES) - 1]
    return Estimate(float(np.median(known)), float(low), float(high))
