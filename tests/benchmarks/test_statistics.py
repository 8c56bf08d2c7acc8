"""Laws of the benchmark's statistics."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gandiag.benchmarks.statistics import cluster_bootstrap, f1, none_in, poisson_interval, wilson


@given(st.integers(1, 500), st.data())
def test_wilson_solves_its_equation(trials: int, data: st.DataObject) -> None:
    """At each bound p, the observed share lies 1.96 standard errors of p away (Wilson 1927)."""
    successes = data.draw(st.integers(0, trials))
    share = successes / trials
    for bound in wilson(successes, trials):
        if 0 < bound < 1:
            error = math.sqrt(bound * (1 - bound) / trials)
            assert abs(share - bound) == pytest.approx(1.959964 * error, rel=1e-5, abs=1e-8)


@given(st.integers(0, 300), st.integers(0, 300))
def test_wilson_is_symmetric(successes: int, failures: int) -> None:
    """Failures have the mirrored interval."""
    low, high = wilson(successes, successes + failures)
    assert wilson(failures, successes + failures) == pytest.approx((1 - high, 1 - low))


def test_known_intervals() -> None:
    """None in 60 leaves 6.0 %, 59 of 60 more than 91 %, none in 300 steps 3.689 / 300."""
    assert wilson(0, 60).high == pytest.approx(0.0602, abs=1e-4)
    assert wilson(59, 60).low == pytest.approx(0.9114, abs=1e-4)
    assert poisson_interval(0, 300).high == pytest.approx(3.6889 / 300, abs=1e-6)
    assert poisson_interval(5, 1).low == pytest.approx(1.6235, abs=1e-4)


@given(st.integers(1, 1000))
def test_rule_of_three_bounds(trials: int) -> None:
    """A share above 3 / n would show no event in n trials with less than 5 %."""
    assert (1 - min(none_in(trials), 1)) ** trials < 0.05


@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50))
def test_f1_is_the_harmonic_mean(found: int, missed: int, false: int) -> None:
    """It is 2 P R / (P + R) wherever both are defined and one is not 0."""
    if found:
        precision, recall = found / (found + false), found / (found + missed)
        expected = 2 * precision * recall / (precision + recall)
        assert f1(found, missed, false) == pytest.approx(expected)
    elif not missed + false:
        assert math.isnan(f1(found, missed, false))


def test_bootstrap_draws_whole_clusters() -> None:
    """Items of one cluster come and go together: their copies add nothing to what is known."""
    values = np.array([0.0, 1.0, 3.0, 4.0])

    def mean(of: np.ndarray) -> object:  # type: ignore[type-arg]
        return lambda chosen: float(of[list(chosen)].mean())

    alone = cluster_bootstrap(list("abcd"), mean(values))  # type: ignore[arg-type]
    copied = cluster_bootstrap(list("abcd" * 5), mean(np.tile(values, 5)))  # type: ignore[arg-type]
    assert copied == pytest.approx(alone)
    assert 0 <= alone.low < 2 < alone.high <= 4


def test_bootstrap_leaves_out_nothing() -> None:
    """A statistic that is never defined has no interval."""
    assert all(map(math.isnan, cluster_bootstrap(["a"], lambda _: math.nan)))
    assert all(map(math.isnan, cluster_bootstrap([], lambda _: 1.0)))
