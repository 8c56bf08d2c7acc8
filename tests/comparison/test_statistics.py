"""Tests of the statistics of paired runs: closed forms of tests, corrections and intervals."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gandiag.comparison.statistics import (
    SIGNIFICANCE_LEVEL,
    adjust_p_values,
    estimate_median,
    estimate_rate,
    seeds_needed,
    sign_test,
)


@given(st.integers(0, 30), st.integers(0, 30))
def test_sign_test_is_a_binomial_tail(better: int, worse: int) -> None:
    """The exact p-value is twice the smaller binomial tail at one half, at most 1."""
    n = better + worse
    tail = sum(math.comb(n, k) for k in range(min(better, worse) + 1)) / 2**n
    assert sign_test(better, worse) == pytest.approx(min(1.0, 2 * tail))
    assert sign_test(better, worse) == pytest.approx(sign_test(worse, better))


@given(st.integers(1, 40), st.data())
def test_wilson_is_its_formula(trials: int, data: st.DataObject) -> None:
    """Each end of the interval lies 1.96 of its own standard errors from the share."""
    rate = estimate_rate(data.draw(st.integers(0, trials)), trials)
    share = rate.present / trials
    assert 0 <= rate.low <= share <= rate.high <= 1
    for end in (rate.low, rate.high):
        if 0 < end < 1:
            errors = abs(share - end) / math.sqrt(end * (1 - end) / trials)
            assert errors == pytest.approx(1.959964, abs=1e-4)


def test_wilson_known_values() -> None:
    """The interval of 0 of 60 is (0, 0.0602); without trials it is (0, 1)."""
    assert estimate_rate(0, 60)[2:] == pytest.approx((0.0, 0.0602), abs=1e-4)
    assert estimate_rate(0, 0) == (0, 0, 0.0, 1.0)


def test_holm_known_case() -> None:
    """Four p-values by hand: 4 x .005, 3 x .01, then the running maximum of 2 x .03 and .04."""
    assert adjust_p_values([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_is_at_most_bonferroni(p: list[float]) -> None:
    """A corrected p-value lies between p and Bonferroni's correction, and keeps the order."""
    adjusted = adjust_p_values(p)
    for one, found in zip(p, adjusted, strict=True):
        assert one <= found <= min(1.0, len(p) * one) + 1e-12
    order = sorted(range(len(p)), key=p.__getitem__)
    assert [adjusted[i] for i in order] == sorted(adjusted)


@pytest.mark.parametrize("fixes", [1, 2, 3, 6, 20])
def test_seeds_needed_are_least(fixes: int) -> None:
    """This many seeds can be significant after correction; one seed fewer cannot."""
    n = seeds_needed(fixes)
    assert fixes * sign_test(n, 0) <= SIGNIFICANCE_LEVEL < fixes * sign_test(n - 1, 0)


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=12))
def test_median_lies_in_its_interval(values: list[float]) -> None:
    """The interval contains the median, lies within the data and is reproducible."""
    found = estimate_median(values)
    assert min(values) <= found.low <= found.value <= found.high <= max(values)
    assert found == estimate_median(values)


def test_median_of_non_finite_values() -> None:
    """Infinite values count as large, NaNs are left out; without values all is NaN."""
    assert estimate_median([1.0, math.inf, math.inf]).value == math.inf
    assert estimate_median([1.0, math.nan]).value == 1.0
    assert all(map(math.isnan, estimate_median([])))
