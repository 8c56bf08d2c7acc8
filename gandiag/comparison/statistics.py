"""What a few paired runs can prove: exact tests, corrected for their number, and intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import binomtest

SIGNIFICANCE_LEVEL = 0.05  # of every test, after its correction
BOOTSTRAP_RESAMPLES = 2000  # resamples of a bootstrap interval


class Rate(NamedTuple):
    """In how many runs a condition is present, of those judged, and the share's 95 % interval."""

    present: int
    evaluated: int
    low: float
    high: float


class Estimate(NamedTuple):
    """A median over seeds with its 95 % bootstrap interval; NaN where nothing was measured."""

    value: float
    low: float
    high: float


def estimate_rate(present: int, judged: int) -> Rate:
    """A share with Wilson's score interval (Wilson 1927); (0, 1) where nothing was judged.

    >>> rate = rate_of(8, 8)
    >>> round(rate.low, 4), rate.high
    (0.6756, 1.0)
    """
    if not judged:
        return Rate(0, 0, 0.0, 1.0)
    interval = binomtest(present, judged).proportion_ci(method="wilson")
    return Rate(present, judged, float(interval.low), float(interval.high))


def sign_test(better: int, worse: int) -> float:
    """Two-sided exact p of so many pairs that got better, and so many worse.

    For a condition that is there or not, this is McNemar's exact test (McNemar 1947); for a
    number, the sign test. Pairs without a difference say nothing and are not counted.

    >>> sign_test(8, 0), sign_test(1, 1)
    (0.0078125, 1.0)
    """
    differing = better + worse
    return float(binomtest(better, differing).pvalue) if differing else 1.0


def adjust_p_values(p: Sequence[float]) -> list[float]:
    """Adjusted p-values that keep the chance of any false claim below the level (Holm 1979).

    >>> [round(each, 3) for each in holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    adjusted, highest = [math.nan] * len(p), 0.0
    for rank, index in enumerate(sorted(range(len(p)), key=p.__getitem__)):
        highest = max(highest, min(1.0, (len(p) - rank) * p[index]))
        adjusted[index] = highest
    return adjusted


def seeds_needed(arms: int) -> int:
    """Fewest seeds with which each of so many arms could be proven, were all its runs cured.

    >>> seeds_needed(1), seeds_needed(3)
    (6, 7)
    """
    return next(n for n in range(1, 64) if arms * sign_test(n, 0) <= SIGNIFICANCE_LEVEL)


def estimate_median(values: Sequence[float], seed: int = 0) -> Estimate:
    """Median with its percentile bootstrap interval (Efron 1979); infinite values are values.

    Order statistics, not interpolated ones: between a finite and an infinite value lies nothing.

    >>> median_of([3.0, 1.0, 2.0]).value
    2.0
    """
    known = np.asarray([value for value in values if not math.isnan(value)], float)
    if not len(known):
        return Estimate(math.nan, math.nan, math.nan)
    drawn = np.random.default_rng(seed).integers(len(known), size=(BOOTSTRAP_RESAMPLES, len(known)))
    medians = np.sort(np.median(known[drawn], axis=1))
    low, high = (
        medians[int(0.025 * BOOTSTRAP_RESAMPLES)],
        medians[int(0.975 * BOOTSTRAP_RESAMPLES) - 1],
    )
    return Estimate(float(np.median(known)), float(low), float(high))
