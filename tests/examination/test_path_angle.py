"""Tests of the path angle on lines through the Dirac-GAN, whose vector field is known."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from gandiag.examination.game_state import GameState
from gandiag.examination.instruments.path_angle import PathAngle
from tests.examination.conftest import ignore_progress

BuildState = Callable[..., GameState]
EVEN = PathAngle(end=2.0, points=40, samples=4, draws=1)  # no point at exactly 1


def test_cosines_are_diracs(dirac: BuildState) -> None:
    """With a linear critic and R1 the field is (w, -s - gamma w), which gives the cosine."""
    gamma, begin, end = 0.4, np.array([1.0, 0.5]), np.array([-0.2, 0.3])
    state = dirac(*end, earlier=tuple(begin), objective="wasserstein", r1=gamma)
    finding = EVEN.examine(state, ignore_progress)
    line = end - begin
    for along, cosine in zip(finding.curves["along"], finding.curves["cosine"], strict=True):
        shift, weight = begin + along * line
        field = np.array([weight, -shift - gamma * weight])
        expected = field @ line / np.linalg.norm(field) / np.linalg.norm(line)
        assert cosine == pytest.approx(expected, abs=1e-6)


def test_attracting_equilibrium_reverses_the_field(dirac: BuildState) -> None:
    """The field points forward before an attracting equilibrium and backward behind it."""
    state = dirac(0.0, 0.0, earlier=(0.5, -1.0), r1=2.0)
    finding = EVEN.examine(state, ignore_progress)
    assert finding["begin"].value > 0
    assert finding["finish"].value < 0
    assert finding["turns_back"].value == pytest.approx(1, abs=0.03)
    assert finding.summary.startswith(
        "The updates point forward along the line, and backward from 1"
    )
    with_zero = PathAngle(draws=1).examine(
        state, ignore_progress
    )  # has a point at 1, where the field is 0
    assert math.isnan(with_zero["later"].value)
    assert with_zero["turns_back"].value == pytest.approx(1, abs=0.03)


def test_rotation_gives_a_bump(dirac: BuildState) -> None:
    """Near the centre of a rotation the cosine is d / |x|, d the smallest |x|, of one sign."""
    state = dirac(0.05, 0.0, earlier=(0.05, 1.0), objective="wasserstein")
    finding = PathAngle(end=2.0, points=41, samples=4, draws=1).examine(state, ignore_progress)
    for along, cosine in zip(finding.curves["along"], finding.curves["cosine"], strict=True):
        assert cosine == pytest.approx(0.05 / math.hypot(0.05, 1 - along), abs=1e-6)
    assert math.isnan(finding["turns_back"].value)
    assert finding.summary.startswith(
        "Training rotates around a point that the line is closest to at 1."
    )


def test_line_needs_two_checkpoints(dirac: BuildState) -> None:
    """Without an earlier checkpoint, or with equal weights, there is no line."""
    assert EVEN.examine(dirac(0.3, 0.2), ignore_progress).summary.startswith("Not applicable")
    same = EVEN.examine(dirac(0.3, 0.2, earlier=(0.3, 0.2)), ignore_progress)
    assert same.summary == "No path: both checkpoints have the same weights."
    assert same.measures == ()
