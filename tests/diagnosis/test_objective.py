"""Tests of the recognition of objectives by their gradients, with any factor."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gandiag.diagnosis.loss_shapes import fit_loss_shape
from gandiag.diagnosis.objective import Objectives, is_cut_off, recognise_objectives
from gandiag.records.record import Record, Row

Array = NDArray[np.float64]
EVALUATIONS, PAIRS = 10, 16


def sigmoid(s: Array) -> Array:
    """1 / (1 + exp(-s))."""
    return 1 / (1 + np.exp(-s))


GRADIENTS: dict[str, tuple[Callable[[Array], Array], tuple[str, str, float, int]]] = {
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
ON_PROBABILITIES: dict[str, tuple[Callable[[Array], Array], tuple[str, str, float, int]]] = {
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
    """Scores of several evaluations, rounded to float32."""
    drawn = np.random.default_rng(seed).normal(middle, spread, (EVALUATIONS, PAIRS))
    return drawn.astype(np.float32).astype(float)


def check(outputs: Array, gradients: Array, expected: tuple[str, str, float, int]) -> None:
    """Assert that shape, kind of outputs, target and sign are recognised."""
    found = fit_loss_shape(outputs, gradients.astype(np.float32).astype(float))
    assert found is not None
    assert (found.shape, found.outputs, found.sign) == (*expected[:2], expected[3])
    np.testing.assert_allclose(found.target, expected[2], atol=0.01)


@pytest.mark.parametrize("name", GRADIENTS)
@given(seed=st.integers(0, 99), factor=st.floats(1e-3, 1e3), middle=st.floats(-1, 1))
@settings(max_examples=15, deadline=None)
def test_recognised_on_scores(name: str, seed: int, factor: float, middle: float) -> None:
    """Scores of both signs, some beyond the margins, identify the objective."""
    gradient, expected = GRADIENTS[name]
    outputs = scores(seed, 2.0, middle)
    check(outputs, factor * gradient(outputs), expected)


@pytest.mark.parametrize("name", ON_PROBABILITIES)
@given(seed=st.integers(0, 99), factor=st.floats(1e-3, 1e3))
@settings(max_examples=15, deadline=None)
def test_recognised_on_probabilities(name: str, seed: int, factor: float) -> None:
    """Outputs that are probabilities identify the objective, and one sigmoid or two."""
    gradient, expected = ON_PROBABILITIES[name]
    outputs = sigmoid(scores(seed, 2.0, 0.0)).astype(np.float32).astype(float)
    check(outputs, factor * gradient(outputs), expected)


def test_factor_may_differ_by_evaluation() -> None:
    """A weight that changes from step to step does not matter."""
    outputs = scores(0, 2.0, 0.0)
    factors = np.random.default_rng(1).uniform(0.1, 10, (EVALUATIONS, 1))
    check(outputs, factors * (sigmoid(outputs) - 1), GRADIENTS["non-saturating"][1])


def test_some_other_evaluations_are_ignored() -> None:
    """Two evaluations of ten with another loss, such as a penalty's, change nothing."""
    outputs = scores(0, 2.0, 0.0)
    gradients = sigmoid(outputs) - 1
    gradients[:2] = np.random.default_rng(1).normal(size=(2, PAIRS))
    check(outputs, gradients, GRADIENTS["non-saturating"][1])


def test_other_losses_are_unknown() -> None:
    """A loss of another shape, and gradients without a pattern, are unknown."""
    outputs = scores(0, 2.0, 0.0)
    assert fit_loss_shape(outputs, -np.exp(-outputs)) is None
    assert fit_loss_shape(outputs, np.random.default_rng(7).normal(size=outputs.shape)) is None
    assert fit_loss_shape(np.full((EVALUATIONS, PAIRS), np.nan), outputs) is None
    assert recognise_objectives(Record({})) == Objectives(None, None, None)


def test_description_names_both_losses() -> None:
    """The sentence for a reader has the loss of each network, and smoothed targets."""
    outputs = scores(0, 2.0, 0.0)
    sides = {
        "fake/generator": sigmoid(outputs) - 1,
        "real/discriminator": sigmoid(outputs) - 0.9,
        "fake/discriminator": sigmoid(outputs),
    }
    rows = []
    for index in range(EVALUATIONS):
        row = {}
        for side, gradients in sides.items():
            row[f"objective/outputs_{side}"] = outputs[index].tolist()
            row[f"objective/gradients_{side}"] = gradients[index].tolist()
        rows.append(Row(50 * index, row))
    objectives = recognise_objectives(Record.from_rows(rows))
    assert objectives.generator_name == "non_saturating"
    assert objectives.discriminator == "cross_entropy"
    assert objectives.describe() == (
        "The generator minimises non-saturating cross-entropy, the discriminator cross-entropy on "
        "logits with targets 0.9 (real) and 0 (fake)."
    )


def build_record(parts: dict[str, tuple[Array, Array]], **more: float) -> Record:
    """A record of outputs and gradients, ``(evaluations, pairs)`` each, by side and network."""
    rows = []
    for index in range(EVALUATIONS):
        row: dict[str, float | list[float]] = {
            name.replace("__", "/"): v for name, v in more.items()
        }
        for side, (outputs, gradients) in parts.items():
            row[f"objective/outputs_{side}"] = outputs[index].tolist()
            row[f"objective/gradients_{side}"] = gradients[index].tolist()
        rows.append(Row(50 * index, row))
    return Record.from_rows(rows)


@pytest.mark.parametrize("targets", [(1.0, 0.0), (1.0, 1.0)])
@pytest.mark.parametrize("is_known", [True, False])
def test_targets_are_named_only_if_certain(targets: tuple[float, float], is_known: bool) -> None:
    """Targets are named where the samples were identified, and the two targets differ."""
    outputs = scores(0, 2.0, 0.0)
    parts = {
        f"{side}/discriminator": (outputs, outputs - target)
        for side, target in zip(("real", "fake"), targets, strict=True)
    }
    record = build_record(parts, loop__known_split__discriminator=float(is_known))
    text = recognise_objectives(record).describe()
    assert "the discriminator least squares" in text
    assert ("targets" in text) == (is_known and targets == (1.0, 0.0))


def test_hinge_that_is_rarely_crossed_is_cut_off() -> None:
    """A single score beyond the margin, at one evaluation of ten, tells hinge from linear."""
    outputs = scores(0, 0.2, 0.0)
    linear = {side: (outputs, np.ones_like(outputs)) for side in ("real/discriminator",)}
    assert not is_cut_off(build_record(linear))
    crossed = np.ones_like(outputs)
    crossed[3, -1] = 0
    assert is_cut_off(build_record({"real/discriminator": (outputs, crossed)}))
