"""Tests of the trends of one signal."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kendalltau, theilslopes

from gandiag.diagnosis.trends import MIN_VALUES, WINDOW, find_trend


@settings(deadline=None, max_examples=60)
@given(
    values=st.lists(
        st.one_of(st.floats(-5, 5), st.sampled_from([math.nan, math.inf])), min_size=0, max_size=60
    ),
    rate=st.sampled_from([0.0, 0.1, -1.0]),
    ordered=st.sampled_from([0.0, 0.41, 0.83]),
)
def test_all_windows_equal_scipy(values: list[float], rate: float, ordered: float) -> None:
    """Each window has the rate of change and the tau of scipy, without values not finite."""
    series = np.asarray(values) + rate * np.arange(len(values))
    expected = np.full(len(series), np.nan)
    for end in range(MIN_VALUES, len(series) + 1):
        window = series[max(0, end - WINDOW) : end]
        at = np.flatnonzero(np.isfinite(window))
        if len(at) < 2:
            continue
        # Without ties, variant c of tau is that of Kendall; scipy's variant b corrects for ties.
        tied = len(np.unique(window[at])) < len(at)
        tau = kendalltau(at, window[at]).statistic if not tied else math.nan
        if math.isnan(tau):
            continue
        rise = theilslopes(window[at], at).slope * (WINDOW - 1)
        expected[end - 1] = rise if abs(tau) >= ordered else 0.0
    found = find_trend(series, ordered=ordered)
    known = np.isfinite(expected)
    np.testing.assert_allclose(found[known], expected[known], rtol=1e-9, atol=1e-12)


def test_constant_series_has_no_trend() -> None:
    """Constant values have no trend, and fewer values than `MIN_VALUES` have an unknown one."""
    found = find_trend(np.full(9, 3.0))
    assert np.isnan(found[: MIN_VALUES - 1]).all()
    assert (found[MIN_VALUES - 1 :] == 0).all()


@given(st.permutations(range(8)))
def test_trend_changes_sign_with_series(order: list[int]) -> None:
    """The negated series has the negated trend."""
    series = np.array(order, dtype=float)
    assert find_trend(series)[-1] == pytest.approx(-find_trend(-series)[-1])
