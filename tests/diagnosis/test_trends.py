"""Tests of the trends of one signal."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import kendalltau, norm, theilslopes

from gandiag.diagnosis.trends import find_improvement, mann_kendall, significant_rise, theil_sen

numbers = st.floats(-1e6, 1e6).map(lambda x: round(x, 3))
series = st.lists(numbers, min_size=4, max_size=30).map(np.array)


@given(series)
def test_theil_sen_equals_scipy(y: NDArray[np.float64]) -> None:
    """The rate of change is that of scipy.stats.theilslopes."""
    x = np.arange(len(y)) * 50.0
    assert theil_sen(x, y) == pytest.approx(theilslopes(y, x).slope)


def test_theil_sen_leaves_out_nan() -> None:
    """Values that are not finite are ignored."""
    y = np.array([0.0, np.nan, 4.0, np.inf, 8.0, -np.inf])
    assert theil_sen(np.arange(6.0), y) == 2.0
    assert math.isnan(theil_sen(np.arange(3.0), np.array([1.0, np.nan, np.inf])))


@settings(deadline=None)
@given(st.lists(numbers, min_size=4, max_size=25, unique=True).map(np.array))
def test_tau_equals_scipy(y: NDArray[np.float64]) -> None:
    """Without ties, tau is that of scipy, and p is within 0.05 of the exact one."""
    found, p = mann_kendall(y)
    exact = kendalltau(np.arange(len(y)), y, method="exact")
    assert found == pytest.approx(exact.statistic)
    assert p == pytest.approx(exact.pvalue, abs=0.05)


@settings(deadline=None)
@given(st.lists(st.integers(0, 3), min_size=4, max_size=30).map(np.array))
def test_ties_count_as_in_scipy(levels: NDArray[np.int64]) -> None:
    """With ties, z is that of scipy times the continuity correction, (|S| - 1) / |S|."""
    y = levels.astype(float)
    score = sum(np.sign(b - a) for a, b in combinations(y, 2))
    tau, p = mann_kendall(y)
    assert tau == pytest.approx(score / math.comb(len(y), 2))
    if score:
        expected = norm.isf(kendalltau(np.arange(len(y)), y, method="asymptotic").pvalue / 2)
        assert norm.isf(p / 2) == pytest.approx(expected * (abs(score) - 1) / abs(score), abs=1e-6)
    else:
        assert p == 1.0


def test_constant_series_has_no_trend() -> None:
    """A constant series has p = 1, and so has a series of three values."""
    assert mann_kendall(np.full(9, 3.0)) == (0.0, 1.0)
    tau, p = mann_kendall(np.array([1.0, 2.0, 3.0, np.nan]))
    assert math.isnan(tau)
    assert p == 1.0


@given(st.permutations(range(8)))
def test_trend_changes_sign_with_series(order: list[int]) -> None:
    """The negated series has the negated tau and the same p."""
    y = np.array(order, dtype=float)
    (up, p), (down, q) = mann_kendall(y), mann_kendall(-y)
    assert (up, p) == (-down, q)


@given(st.floats(1e-6, 1e6))
@settings(deadline=None)
def test_improvement_has_no_unit(unit: float) -> None:
    """A fall of the distance is relative to the distance, so its unit does not matter."""
    diversity, falling = np.full(30, 0.5), unit * np.linspace(1.0, 0.2, 30)
    assert find_improvement(falling, diversity, 0.2, 0.05, 0.2)[-1]
    assert not find_improvement(np.full(30, unit), diversity, 0.2, 0.05, 0.2).any()
    assert not find_improvement(falling[::-1], diversity, 0.2, 0.05, 0.2).any()


def test_nearer_than_the_center_is_no_repeated_sample() -> None:
    """Alike samples that get nearer improve only below the distance of the center."""
    falling, alike = np.linspace(1.0, 0.2, 30), np.full(30, 0.05)
    assert not find_improvement(falling, alike, 0.2, 0.05, 0.2).any()
    found = find_improvement(falling, alike, 0.2, 0.05, 0.2, center=0.41)
    assert (found == (falling < 0.41)).all()


@given(
    values=st.lists(
        st.one_of(st.floats(-5, 5), st.sampled_from([0.0, 1.0, math.nan, math.inf])),
        min_size=0,
        max_size=60,
    ),
    rate=st.sampled_from([0.0, 0.1, -1.0]),
)
@settings(deadline=None, max_examples=60)
def test_all_windows_equal_single_windows(values: list[float], rate: float) -> None:
    """The rises of all windows at once equal those of single windows, also with ties and NaN."""
    series = np.asarray(values) + rate * np.arange(len(values))
    expected = np.full(len(series), np.nan)
    for end in range(8, len(series) + 1):
        window = series[max(0, end - 20) : end]
        trend = theil_sen(np.arange(float(len(window))), window) * 19
        expected[end - 1] = trend if mann_kendall(window)[1] < 0.01 else 0.0
    np.testing.assert_allclose(significant_rise(series), expected, rtol=1e-12)
