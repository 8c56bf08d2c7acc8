"""How mistakes are told."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gandiag.plugins.errors import BadInput, suggest_nearest


@settings(deadline=None)
@given(st.text(), st.text())
def test_bad_input_is_one_line(place: str, problem: str) -> None:
    """Whatever was put into it, the message is one line."""
    assert len(str(BadInput(place, problem)).splitlines()) <= 1


@pytest.mark.parametrize(
    ("place", "problem", "said"),
    [("a.yaml:3", "is odd", "a.yaml:3: is odd"), ("", "is odd", "is odd"), ("a", "", "a")],
)
def test_place_comes_first(place: str, problem: str, said: str) -> None:
    """The place stands before the problem; either may be left out."""
    assert str(BadInput(place, problem)) == said


def test_bad_input_is_a_value_error() -> None:
    """Who calls gandiag from Python may catch it as what it is."""
    assert issubclass(BadInput, ValueError)


@settings(deadline=None)
@given(st.lists(st.sampled_from(["vanilla", "linear_critic", "dcgan"]), min_size=1, unique=True))
def test_every_choice_is_named(choices: list[str]) -> None:
    """All choices are told, in alphabetical order, whatever their order was."""
    assert suggest_nearest("x", choices) == "there are " + ", ".join(sorted(choices))
