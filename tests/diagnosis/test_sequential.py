"""Tests of the sequential test of all detectors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from gandiag.diagnosis.sequential import BUDGET, FEWEST, HEALTHY, find_alarm

flags = st.lists(st.booleans(), max_size=60).map(lambda values: np.array(values, dtype=bool))


def first_alarm(beyond: NDArray[np.bool_]) -> int:
    """Evaluations until the first alarm; all of them if there is none."""
    state = find_alarm(beyond).state
    return int(np.argmax(state)) + 1 if state.any() else len(state)


@pytest.mark.parametrize("memory", [0, 1, 8])
def test_false_alarms_are_within_the_budget(memory: int) -> None:
    """However dependent the evaluations are, false alarms are `BUDGET` evaluations apart or more.

    The claim is a limit for each evaluation, given those before it. With a memory, the probability
    is the limit after an evaluation beyond the definition, and 0 after `memory` others: evaluations
    beyond the definition then come in bursts.
    """
    stream = np.random.default_rng(0)
    waits = []
    for _ in range(60):
        beyond, quiet = [], 0
        for drawn in stream.random(3000).tolist():
            is_allowed = quiet <= memory or quiet % 40 == 0
            beyond.append(drawn < HEALTHY and is_allowed)
            quiet = 0 if beyond[-1] else quiet + 1
        waits.append(first_alarm(np.array(beyond)))
    assert np.mean(waits) >= BUDGET


@given(flags, flags, st.integers(0, 60))
def test_prefix_has_the_same_state(
    beyond: NDArray[np.bool_], bets: NDArray[np.bool_], cut: int
) -> None:
    """The state at an evaluation does not depend on later ones."""
    size = min(len(beyond), len(bets))
    beyond, bets = beyond[:size], bets[:size]
    whole = find_alarm(beyond, bets).state
    assert find_alarm(beyond[:cut], bets[:cut]).state.tolist() == whole[:cut].tolist()


@given(flags)
def test_no_bet_changes_no_state(beyond: NDArray[np.bool_]) -> None:
    """Where no bet is placed the state stays as it is; without any bet it never begins."""
    assert not find_alarm(beyond, np.zeros(len(beyond), bool)).state.any()
    doubled = find_alarm(np.repeat(beyond, 2), np.tile([True, False], len(beyond)))
    assert doubled.state[::2].tolist() == find_alarm(beyond).state.tolist()


def test_failure_begins_and_ends_after_the_fewest_bets() -> None:
    """Four evaluations in a row raise an alarm and four end it; the onset is the first of them."""
    beyond = np.repeat([False, True, False], [3, 6, 6])
    state = find_alarm(beyond).state
    assert np.flatnonzero(state).tolist() == list(range(3 + FEWEST - 1, 9 + FEWEST - 1))
    assert find_alarm(beyond[:9]).onset == 3
    assert find_alarm(beyond).onset is None


def test_onset_is_before_the_bets() -> None:
    """A failure may begin before bets are placed, and one evaluation does not move its onset."""
    beyond = np.ones(12, dtype=bool)
    beyond[2] = False
    assert find_alarm(beyond, np.arange(12) >= 6).onset == 0
