"""Tests of the statistics of one signal."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from gandiag.diagnosis.statistics import (
    effective_number,
    find_onset,
    persistent_state,
    recent_median,
    rolling_statistic,
)
from gandiag.records.arrays import align

sides = st.lists(st.sampled_from(["beyond", "between", "clear"]), max_size=40)


def bools(side: list[str], name: str) -> NDArray[np.bool_]:
    """Whether each item is a name."""
    return np.array([item == name for item in side], dtype=bool)


@given(sides, st.integers(1, 5), st.integers(0, 3))
def test_persistent_state_equals_counting(side: list[str], enter: int, more: int) -> None:
    """The state equals one that is counted evaluation by evaluation."""
    beyond, clear = bools(side, "beyond"), bools(side, "clear")
    window = enter + more
    is_on, expected = False, []
    for index in range(len(side)):
        recent = side[max(0, index + 1 - window) : index + 1]
        is_on = recent.count("clear") < enter if is_on else recent.count("beyond") >= enter
        expected.append(is_on)
    assert persistent_state(beyond, clear, enter, window).tolist() == expected


@given(sides, st.integers(0, 40))
def test_state_ignores_the_future(side: list[str], cut: int) -> None:
    """The state at an evaluation depends only on the evaluations up to it."""
    beyond, clear = bools(side, "beyond"), bools(side, "clear")
    whole = persistent_state(beyond, clear)
    assert persistent_state(beyond[:cut], clear[:cut]).tolist() == whole[:cut].tolist()


def test_one_outlier_changes_nothing() -> None:
    """One evaluation unlike the others neither begins nor ends a state."""
    one = np.zeros(12, dtype=bool)
    one[6] = True
    assert not persistent_state(one, ~one).any()
    assert persistent_state(~one, one)[3:].all()


@given(sides)
def test_onset_is_beyond_threshold(side: list[str]) -> None:
    """There is an onset exactly if the last state is on, at an evaluation beyond the threshold."""
    beyond = bools(side, "beyond")
    state = persistent_state(beyond, bools(side, "clear"))
    onset = find_onset(state, beyond)
    assert (onset is not None) == bool(len(state) and state[-1])
    if onset is not None:
        assert beyond[onset]
        assert np.flatnonzero(state)[0] - 4 <= onset


def test_onset_is_first_sign() -> None:
    """The onset is the first evaluation beyond the threshold, not the one that began the state."""
    beyond = np.array([0, 0, 1, 1, 0, 1, 1, 1], dtype=bool)
    state = persistent_state(beyond, ~beyond)
    assert state.tolist() == [False] * 6 + [True] * 2
    assert find_onset(state, beyond) == 2


@given(
    st.lists(st.integers(0, 50), max_size=8),
    st.lists(st.integers(0, 50), max_size=8, unique=True).map(sorted),
)
def test_align_equals_lookup(steps: list[int], known: list[int]) -> None:
    """Each step has the value of the newest known step at or before it."""
    values = np.array(known, dtype=float) * 10
    found = align(np.array(steps, np.int64), np.array(known, np.int64), values)
    expected = [max((k * 10.0 for k in known if k <= s), default=math.nan) for s in steps]
    np.testing.assert_array_equal(found, expected)


def test_recent_median_skips_nonfinite() -> None:
    """The median is over the finite numbers among the newest values; there may be none."""
    assert recent_median(np.array([100.0, 1.0, np.inf, 2.0, 3.0, np.nan]), 5) == 2.0
    assert math.isnan(recent_median(np.array([1.0, np.nan, np.nan]), 2))
    assert math.isnan(recent_median(np.empty(0)))


@given(st.lists(st.floats(-9, 9) | st.just(math.nan), max_size=12).map(np.array), st.integers(1, 6))
def test_rolling_median_equals_recent_median(values: NDArray[np.float64], window: int) -> None:
    """At each evaluation, the rolling median is the recent median of the values until then."""
    twin = [recent_median(values[: end + 1], window) for end in range(len(values))]
    np.testing.assert_array_equal(rolling_statistic(values, window), twin)


@given(st.integers(1, 40), st.integers(0, 40))
def test_equal_bins_are_counted(filled: int, empty: int) -> None:
    """The effective number of equal bins is their number; empty bins add nothing."""
    shares = np.r_[np.full(filled, 1 / filled), np.zeros(empty)]
    assert effective_number(shares) == pytest.approx(filled)
