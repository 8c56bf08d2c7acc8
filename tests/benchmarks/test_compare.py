"""Laws of measuring how well a comparison fills the cores."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gandiag.benchmarks.comparison import FIXES, Filled, measure

seconds = st.lists(st.floats(0.1, 100.0), min_size=1, max_size=40)


@given(alone=seconds, at_once=st.integers(1, 8))
def test_a_perfect_share_is_one(alone: list[float], at_once: int) -> None:
    """A comparison that takes no longer than the games shared out alike has the ratio 1."""
    found = Filled(tuple(alone), sum(alone) / at_once, at_once, 1, 1.0, 1.0)
    assert found.ratio == pytest.approx(1.0)


@given(alone=seconds, at_once=st.integers(2, 8))
def test_one_after_the_other_is_no_gain(alone: list[float], at_once: int) -> None:
    """Games that are not played beside each other give the number that could have been."""
    assert Filled(tuple(alone), sum(alone), at_once, 1, 1.0, 1.0).ratio == pytest.approx(at_once)


def test_both_play_the_same_games() -> None:
    """Every arm is played, one by one and as a comparison."""
    found = measure(steps=4, seeds=1, jobs=1)
    assert len(found.alone) == 1 + len(FIXES)
    assert found.at_once == 1
    assert min(found.alone) > 0
    assert found.whole > 0
    assert found.cpu_whole > 0
    assert found.cpu_alone > 0
