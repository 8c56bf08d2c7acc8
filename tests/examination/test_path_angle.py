"""Laws of the path angle: lines through the Dirac game, whose field is known."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from gandiag.examination.game_state import GameState
from gandiag.examination.instruments.path_angle import PathAngle
from tests.examination.conftest import unheard

Make = Callable[..., GameState]
EVEN = PathAngle(end=2.0, points=40, samples=4, draws=1)  # no look at exactly 1


def test_cosines_are_diracs(dirac: Make) -> None:
    """With a linear critic and R1 the field is (w, -s - gamma w); the cosine is plain geometry."""
    gamma, begin, end = 0.4, np.array([1.0, 0.5]), np.array([-0.2, 0.3])
    subject = dirac(*end, earlier=tuple(begin), objective="wasserstein", r1=gamma)
    finding = EVEN.examine(subject, unheard)
    line = end - begin
    for along, cosine in zip(finding.curves["along"], finding.curves["cosine"], strict=True):
        shift, weight = begin + along * line
        field = np.array([weight, -shift - gamma * weight])
        expected = field @ line / np.linalg.norm(field) / np.linalg.norm(line)
        assert cosine == pytest.approx(expected, abs=1e-6)


def test_attraction_turns_back(dirac: Make) -> None:
    """On a line into an attracting equilibrium the field points forward, and back behind it."""
    subject = dirac(0.0, 0.0, earlier=(0.5, -1.0), r1=2.0)
    finding = EVEN.examine(subject, unheard)
    assert finding["begin"].value > 0
    assert finding["finish"].value < 0
    assert finding["turns_back"].value == pytest.approx(1, abs=0.03)
    assert finding.summary.startswith("The game pushes forward along the line, and back from 1")
    at_rest = PathAngle(draws=1).examine(subject, unheard)  # looks at 1, where the field is 0
    assert math.isnan(at_rest["later"].value)
    assert at_rest["turns_back"].value == pytest.approx(1, abs=0.03)


def test_rotation_is_a_bump(dirac: Make) -> None:
    """Past the centre of a rotation the cosine keeps its sign and is d / |x|, d the least |x|."""
    subject = dirac(0.05, 0.0, earlier=(0.05, 1.0), objective="wasserstein")
    finding = PathAngle(end=2.0, points=41, samples=4, draws=1).examine(subject, unheard)
    for along, cosine in zip(finding.curves["along"], finding.curves["cosine"], strict=True):
        assert cosine == pytest.approx(0.05 / math.hypot(0.05, 1 - along), abs=1e-6)
    assert math.isnan(finding["turns_back"].value)
    assert finding.summary.startswith(
        "The game turns about a centre that the line passes at 1 of it"
    )


def test_line_needs_two_ends(dirac: Make) -> None:
    """Without an earlier checkpoint, or with the same weights, it is said that there is no line."""
    assert EVEN.examine(dirac(0.3, 0.2), unheard).summary.startswith("Not asked")
    same = EVEN.examine(dirac(0.3, 0.2, earlier=(0.3, 0.2)), unheard)
    assert same.summary == "No path: both checkpoints hold the same weights."
    assert same.measures == ()
