"""Messages of bad input."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gandiag.plugins.errors import BadInput, suggest_nearest


@settings(deadline=None)
@given(st.text(), st.text())
def test_bad_input_is_one_line(place: str, problem: str) -> None:
    """The message is one line, whatever its place and problem are."""
    assert len(str(BadInput(place, problem)).splitlines()) <= 1


@pytest.mark.parametrize(
    ("place", "problem", "message"),
    [("a.yaml:3", "is odd", "a.yaml:3: is odd"), ("", "is odd", "is odd"), ("a", "", "a")],
)
def test_place_comes_first(place: str, problem: str, message: str) -> None:
    """The place comes before the problem; either may be empty."""
    assert str(BadInput(place, problem)) == message


def test_bad_input_is_a_value_error() -> None:
    """Python code can catch `BadInput` as a `ValueError`."""
    assert issubclass(BadInput, ValueError)


@settings(deadline=None)
@given(st.lists(st.sampled_from(["vanilla", "linear_critic", "dcgan"]), min_size=1, unique=True))
def test_every_choice_is_named(choices: list[str]) -> None:
    """A message lists all choices in alphabetical order."""
    assert suggest_nearest("x", choices) == "there are " + ", ".join(sorted(choices))
