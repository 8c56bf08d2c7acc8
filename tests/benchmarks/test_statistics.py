"""Statistics of the benchmarks."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from gandiag.benchmarks.statistics import (
    cluster_bootstrap,
    f1,
    poisson_interval,
    rule_of_three,
)
from gandiag.comparison.statistics import wilson_interval


@given(st.integers(1, 500), st.data())
def test_wilson_solves_its_equation(trials: int, data: st.DataObject) -> None:
    """At each bound p, the observed share is 1.96 standard errors of p away (Wilson 1927)."""
    successes = data.draw(st.integers(0, trials))
    share = successes / trials
    for bound in wilson_interval(successes, trials):
        if 0 < bound < 1:
            error = math.sqrt(bound * (1 - bound) / trials)
            assert abs(share - bound) == pytest.approx(1.959964 * error, rel=1e-5, abs=1e-8)


@given(st.integers(0, 300), st.integers(0, 300))
def test_wilson_is_symmetric(successes: int, failures: int) -> None:
    """The interval of the failures is the mirrored interval of the successes."""
    low, high = wilson_interval(successes, successes + failures)
    assert wilson_interval(failures, successes + failures) == pytest.approx((1 - high, 1 - low))


def test_known_intervals() -> None:
    """Wilson's and Garwood's intervals have the values of published tables."""
    assert wilson_interval(0, 60)[1] == pytest.approx(0.0602, abs=1e-4)
    assert wilson_interval(59, 60)[0] == pytest.approx(0.9114, abs=1e-4)
    assert poisson_interval(0, 300).high == pytest.approx(3.6889 / 300, abs=1e-6)
    assert poisson_interval(5, 1).low == pytest.approx(1.6235, abs=1e-4)


@given(st.integers(1, 1000))
def test_rule_of_three_is_an_upper_bound(trials: int) -> None:
    """If the share is 3 / n, n trials without any event have a probability below 5 %."""
    assert (1 - min(rule_of_three(trials), 1)) ** trials < 0.05


@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50))
def test_f1_agrees_with_scikit_learn(found: int, missed: int, false: int) -> None:
    """For counts of single runs, F1 is that of scikit-learn; without any count it is NaN."""
    if found + missed + false:
        truth = [1] * (found + missed) + [0] * false
        predicted = [1] * found + [0] * missed + [1] * false
        assert f1(found, missed, false) == pytest.approx(f1_score(truth, predicted))
    else:
        assert math.isnan(f1(found, missed, false))


def test_bootstrap_resamples_whole_clusters() -> None:
    """Items of a cluster are resampled together, so copies of items do not narrow the interval."""
    values = np.array([0.0, 1.0, 3.0, 4.0])

    def mean(of: np.ndarray) -> object:  # type: ignore[type-arg]
        return lambda indices: float(of[list(indices)].mean())

    single = cluster_bootstrap(list("abcd"), mean(values))  # type: ignore[arg-type]
    copied = cluster_bootstrap(list("abcd" * 5), mean(np.tile(values, 5)))  # type: ignore[arg-type]
    assert copied == pytest.approx(single)
    assert 0 <= single.low < 2 < single.high <= 4


def test_undefined_statistic_has_no_interval() -> None:
    """A statistic that is never defined, or has no items, has the interval (NaN, NaN)."""
    assert all(map(math.isnan, cluster_bootstrap(["a"], lambda _: math.nan)))
    assert all(map(math.isnan, cluster_bootstrap([], lambda _: 1.0)))
