"""Laws of the statistics of one signal."""

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

gates = st.lists(st.sampled_from(["beyond", "between", "clear"]), max_size=40)


def bools(gate: list[str], name: str) -> NDArray[np.bool_]:
    """Where a list of gates holds a name."""
    return np.array([item == name for item in gate], dtype=bool)


@given(gates, st.integers(1, 5), st.integers(0, 3))
def test_persistence_twins_counting(gate: list[str], enter: int, more: int) -> None:
    """The state is what counting the last few probes by hand says."""
    beyond, clear = bools(gate, "beyond"), bools(gate, "clear")
    window = enter + more
    on, expected = False, []
    for now in range(len(gate)):
        recent = gate[max(0, now + 1 - window) : now + 1]
        on = recent.count("clear") < enter if on else recent.count("beyond") >= enter
        expected.append(on)
    assert persistent_state(beyond, clear, enter, window).tolist() == expected


@given(gates, st.integers(0, 40))
def test_state_ignores_the_future(gate: list[str], cut: int) -> None:
    """The state at a probe depends on the probes up to it alone."""
    beyond, clear = bools(gate, "beyond"), bools(gate, "clear")
    whole = persistent_state(beyond, clear)
    assert persistent_state(beyond[:cut], clear[:cut]).tolist() == whole[:cut].tolist()


def test_single_probe_changes_nothing() -> None:
    """One odd probe neither raises nor ends a condition."""
    one = np.zeros(12, dtype=bool)
    one[6] = True
    assert not persistent_state(one, ~one).any()
    assert persistent_state(~one, one)[3:].all()


@given(gates)
def test_onset_lies_beyond_gate(gate: list[str]) -> None:
    """There is an onset just where the state holds at the end, at a probe beyond the gate."""
    beyond = bools(gate, "beyond")
    state = persistent_state(beyond, bools(gate, "clear"))
    onset = find_onset(state, beyond)
    assert (onset is not None) == bool(len(state) and state[-1])
    if onset is not None:
        assert beyond[onset]
        assert np.flatnonzero(state)[0] - 4 <= onset


def test_onset_is_first_sign() -> None:
    """The onset is the first probe beyond the gate, not the one that made it persist."""
    beyond = np.array([0, 0, 1, 1, 0, 1, 1, 1], dtype=bool)
    state = persistent_state(beyond, ~beyond)
    assert state.tolist() == [False] * 6 + [True] * 2
    assert find_onset(state, beyond) == 2


@given(
    st.lists(st.integers(0, 50), max_size=8),
    st.lists(st.integers(0, 50), max_size=8, unique=True).map(sorted),
)
def test_align_twins_looking_up(steps: list[int], known: list[int]) -> None:
    """Each step gets the value of the newest known step at or before it."""
    values = np.array(known, dtype=float) * 10
    found = align(np.array(steps, np.int64), np.array(known, np.int64), values)
    expected = [max((k * 10.0 for k in known if k <= s), default=math.nan) for s in steps]
    np.testing.assert_array_equal(found, expected)


def test_recent_median_skips_nonfinite() -> None:
    """The median is over the finite ones of the newest values; there may be none."""
    assert recent_median(np.array([100.0, 1.0, np.inf, 2.0, 3.0, np.nan]), 5) == 2.0
    assert math.isnan(recent_median(np.array([1.0, np.nan, np.nan]), 2))
    assert math.isnan(recent_median(np.empty(0)))


@given(st.lists(st.floats(-9, 9) | st.just(math.nan), max_size=12).map(np.array), st.integers(1, 6))
def test_rolling_twins_recent_median(values: NDArray[np.float64], window: int) -> None:
    """At each look the rolling median is the recent median of what was known then."""
    twin = [recent_median(values[: end + 1], window) for end in range(len(values))]
    np.testing.assert_array_equal(rolling_statistic(values, window), twin)


@given(st.integers(1, 40), st.integers(0, 40))
def test_equal_bins_count_themselves(held: int, empty: int) -> None:
    """As many equal bins as are held is the effective number; empty ones add nothing."""
    shares = np.r_[np.full(held, 1 / held), np.zeros(empty)]
    assert effective_number(shares) == pytest.approx(held)
