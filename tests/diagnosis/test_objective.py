"""Laws of recognition: each objective is known by its slopes, whatever factor stands before it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gandiag.diagnosis.loss_shapes import fit_loss_shape
from gandiag.diagnosis.objective import Objectives, recognise_objectives
from gandiag.records.record import Record, Row

Array = NDArray[np.float64]
LOOKS, PAIRS = 10, 16


def sigmoid(s: Array) -> Array:
    """1 / (1 + exp(-s))."""
    return 1 / (1 + np.exp(-s))


SLOPES: dict[str, tuple[Callable[[Array], Array], tuple[str, str, float, int]]] = {
    "non-saturating": (lambda s: sigmoid(s) - 1, ("cross_entropy", "logits", 1.0, 1)),
    "minimax": (lambda s: -sigmoid(s), ("cross_entropy", "logits", 0.0, -1)),
    "on fakes": (sigmoid, ("cross_entropy", "logits", 0.0, 1)),
    "smoothed": (lambda s: sigmoid(s) - 0.9, ("cross_entropy", "logits", 0.9, 1)),
    "least squares": (lambda s: s - 1, ("least_squares", "any", 1.0, 1)),
    "least squares, third scheme": (lambda s: s + 1, ("least_squares", "any", -1.0, 1)),
    "least squares, smoothed": (lambda s: s - 0.9, ("least_squares", "any", 0.9, 1)),
    "critic": (lambda s: -np.ones_like(s), ("constant", "any", np.nan, -1)),
    "hinge on real": (lambda s: -1.0 * (s < 1), ("hinge", "any", np.nan, -1)),
    "hinge on fakes": (lambda s: 1.0 * (s > -1), ("hinge", "any", np.nan, 1)),
}
ON_P: dict[str, tuple[Callable[[Array], Array], tuple[str, str, float, int]]] = {
    "non-saturating": (lambda p: -1 / p, ("cross_entropy", "probabilities", 1.0, 1)),
    "minimax": (lambda p: -1 / (1 - p), ("cross_entropy", "probabilities", 0.0, -1)),
    "smoothed": (
        lambda p: (p - 0.9) / (p * (1 - p)),
        ("cross_entropy", "probabilities", 0.9, 1),
    ),
    "second sigmoid": (lambda p: sigmoid(p) - 1, ("cross_entropy", "logits", 1.0, 1)),
    "least squares": (lambda p: p - 1, ("least_squares", "any", 1.0, 1)),
}


def scores(seed: int, spread: float, middle: float) -> Array:
    """Scores of some looks, as float32 has them."""
    drawn = np.random.default_rng(seed).normal(middle, spread, (LOOKS, PAIRS))
    return drawn.astype(np.float32).astype(float)


def check(outputs: Array, slopes: Array, expected: tuple[str, str, float, int]) -> None:
    """Assert that the shape, its reading, its target and its sign are found."""
    found = fit_loss_shape(outputs, slopes.astype(np.float32).astype(float))
    assert found is not None
    assert (found.shape, found.outputs, found.sign) == (*expected[:2], expected[3])
    np.testing.assert_allclose(found.target, expected[2], atol=0.01)


@pytest.mark.parametrize("name", SLOPES)
@given(seed=st.integers(0, 99), factor=st.floats(1e-3, 1e3), middle=st.floats(-1, 1))
@settings(max_examples=15, deadline=None)
def test_known_by_its_slopes(name: str, seed: int, factor: float, middle: float) -> None:
    """Scores of both signs, some beyond the margins, name the objective exactly."""
    slope, expected = SLOPES[name]
    outputs = scores(seed, 2.0, middle)
    check(outputs, factor * slope(outputs), expected)


@pytest.mark.parametrize("name", ON_P)
@given(seed=st.integers(0, 99), factor=st.floats(1e-3, 1e3))
@settings(max_examples=15, deadline=None)
def test_known_on_probabilities(name: str, seed: int, factor: float) -> None:
    """The same on outputs that are probabilities: one sigmoid is told from two."""
    slope, expected = ON_P[name]
    outputs = sigmoid(scores(seed, 2.0, 0.0)).astype(np.float32).astype(float)
    check(outputs, factor * slope(outputs), expected)


def test_factor_may_differ_by_look() -> None:
    """A weight that changes from step to step hides nothing."""
    outputs = scores(0, 2.0, 0.0)
    factors = np.random.default_rng(1).uniform(0.1, 10, (LOOKS, 1))
    check(outputs, factors * (sigmoid(outputs) - 1), SLOPES["non-saturating"][1])


def test_some_odd_looks_are_forgiven() -> None:
    """Two looks of ten at another loss, such as a penalty's, change nothing."""
    outputs = scores(0, 2.0, 0.0)
    slopes = sigmoid(outputs) - 1
    slopes[:2] = np.random.default_rng(1).normal(size=(2, PAIRS))
    check(outputs, slopes, SLOPES["non-saturating"][1])


def test_unknown_is_not_named() -> None:
    """A loss that is none of them, and slopes without a pattern, are unknown."""
    outputs = scores(0, 2.0, 0.0)
    assert fit_loss_shape(outputs, -np.exp(-outputs)) is None
    assert fit_loss_shape(outputs, np.random.default_rng(7).normal(size=outputs.shape)) is None
    assert fit_loss_shape(np.full((LOOKS, PAIRS), np.nan), outputs) is None
    assert recognise_objectives(Record({})) == Objectives(None, None, None)


def test_words_name_both_players() -> None:
    """The sentence for a reader says what each player minimises, and smoothed targets."""
    outputs = scores(0, 2.0, 0.0)
    sides = {
        "fake/generator": sigmoid(outputs) - 1,
        "real/discriminator": sigmoid(outputs) - 0.9,
        "fake/discriminator": sigmoid(outputs),
    }
    rows = []
    for look in range(LOOKS):
        row = {}
        for side, slopes in sides.items():
            row[f"objective/outputs_{side}"] = outputs[look].tolist()
            row[f"objective/gradients_{side}"] = slopes[look].tolist()
        rows.append(Row(50 * look, row))
    seen = recognise_objectives(Record.from_rows(rows))
    assert seen.generator_name == "non_saturating"
    assert seen.discriminator == "cross_entropy"
    assert seen.describe() == (
        "The generator minimises non-saturating cross-entropy, the discriminator cross-entropy on "
        "logits with targets 0.9 (real) and 0 (fake)."
    )
