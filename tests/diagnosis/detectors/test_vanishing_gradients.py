"""Tests of the vanishing gradients detector on records made by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gandiag.diagnosis.detectors.vanishing_gradients import VanishingGradients
from gandiag.diagnosis.diagnosis import Diagnosis
from gandiag.records.record import Record

BuildRecord = Callable[..., Record]

# Conditions [B] and [C] of the detector, and then [A], too.
FROZEN = {"displacement": 1e-3, "energy": 0.9, "modes": 0.05, "precision": 0.0}
VANISHED = FROZEN | {"score_gradient": 1e-4, "auc": 1.0}

few = settings(deadline=None, max_examples=20)


def detect(record: Record) -> Diagnosis:
    """The detector's diagnosis of a record."""
    return VanishingGradients().detect(record)


def falling(early: float, late: float, count: int = 40) -> list[float]:
    """A signal that is `early` for 10 evaluations, and `late` afterwards."""
    return [early] * 10 + [late] * (count - 10)


@pytest.mark.parametrize(
    ("cause", "factor"),
    [
        ("saturated_objective", {"score_gradient": 1e-4}),
        # Float32 gives a gradient of exactly 0.
        ("saturated_objective", {"score_gradient": 0.0, "discriminator_gradient": np.nan}),
        # A dead critic, and a discriminator with the same score for all samples.
        ("flat_discriminator", {"score_gradient": 1.0, "discriminator_gradient": 1e-3}),
        ("flat_discriminator", {"score_gradient": 1.0, "score_sd": 1e-8}),
        ("generator_layers", {"first_to_last": falling(0.3, 1e-6)}),
        ("generator_layers", {"backprop_gain": falling(10.0, 1e-4)}),
        ("generator_layers", {"first_to_last": 0.0}),  # dead from the first step
        ("optimizer", {"update": 1e-8}),  # a learning rate that is too small
        # The first vanished factor is the cause.
        ("saturated_objective", {"score_gradient": 1e-4, "update": 1e-8}),
        ("saturated_objective", {"score_gradient": 1e-4, "first_to_last": falling(0.3, 1e-6)}),
    ],
)
def test_first_vanished_factor_is_the_cause(
    build_record: BuildRecord, cause: str, factor: dict[str, Any]
) -> None:
    """A generator that does not change far from the data fails; the first factor is the cause."""
    found = detect(build_record(**FROZEN | factor))
    assert (found.status, found.kind, found.cause) == ("present", cause, cause)


@pytest.mark.parametrize(
    "healthy",
    [
        # The discriminator is certain, but the samples change.
        {"score_gradient": 1e-4, "auc": 1.0, "displacement": 0.3, "energy": 0.9},
        # A critic with clipped weights has small ratios inside the generator.
        {
            "score_gradient": 1.0,
            "backprop_gain": 1e-6,
            "first_to_last": 1e-6,
            "displacement": 0.08,
            "energy": 0.5,
        },
        # The learning rate has decayed, and the samples are near the data.
        {"score_gradient": 1e-4, "displacement": 1e-4, "energy": 0.02},
        # The discriminator's loss is 0 while the generator learns.
        {"score_gradient": 1.0, "auc": 1.0, "loss": 1e-6},
    ],
)
def test_two_of_three_conditions_are_not_enough(
    build_record: BuildRecord, healthy: dict[str, Any]
) -> None:
    """Each of the three conditions is normal without the two others."""
    assert detect(build_record(**healthy)).status == "absent"


def test_frozen_samples_without_vanished_factor_are_absent(build_record: BuildRecord) -> None:
    """Where a gradient arrives but the samples do not change, the failure is another one."""
    found = detect(build_record(**FROZEN))
    assert found.status == "absent"
    assert "its samples do not change and are far from the data" in found.summary


@pytest.mark.parametrize(
    "lost",
    [
        dict.fromkeys(
            (
                "score_gradient",
                "discriminator_gradient",
                "score_sd",
                "backprop_gain",
                "first_to_last",
            ),
            np.nan,
        ),
        {"displacement": np.nan},
        {"energy": np.nan},
    ],
)
def test_nan_is_inconclusive(build_record: BuildRecord, lost: dict[str, float]) -> None:
    """Where one of the three conditions is not a number, the diagnosis is inconclusive."""
    assert detect(build_record(**VANISHED | lost)).status == "inconclusive"


def test_onset_is_first_evaluation(build_record: BuildRecord) -> None:
    """The onset is the first evaluation that shows the failure, not the step of the alarm."""
    record = build_record(
        score_gradient=falling(0.5, 1e-4), displacement=falling(0.2, 1e-3), energy=0.9
    )
    assert detect(record.until(650)).status == "absent"
    assert detect(record.until(700)).status == "present"
    assert {detect(record.until(step)).onset for step in range(700, 2001, 50)} == {550}


@few
@given(odd=st.integers(0, 39), failing=st.booleans())
def test_one_outlier_changes_nothing(build_record: BuildRecord, odd: int, failing: bool) -> None:
    """One evaluation unlike the others neither raises the alarm nor ends it."""
    usual, other = (1e-4, 0.5) if failing else (0.5, 1e-4)
    gradient = [usual] * 40
    gradient[odd] = other
    changed = FROZEN if failing else {"displacement": 1e-3, "energy": 0.9}
    found = detect(build_record(**changed | {"score_gradient": gradient}))
    assert found.status == ("present" if failing else "absent")


def test_recovery_ends_it(build_record: BuildRecord) -> None:
    """Once the samples change again, the failure is over, however far they are from the data."""
    record = build_record(
        score_gradient=falling(1e-4, 0.5), displacement=falling(1e-3, 0.2), energy=0.9
    )
    assert detect(record.until(500)).status == "present"
    assert detect(record).status == "absent"


@few
@given(st.lists(st.floats(1e-12, 9e-3), min_size=2, max_size=2))
def test_severity_grows_with_depth(build_record: BuildRecord, gradients: list[float]) -> None:
    """The smaller the gradient, the higher the severity, between 0.1 and 1."""
    worse, better = (
        detect(build_record(**VANISHED | {"score_gradient": gradient}))
        for gradient in sorted(gradients)
    )
    assert 0.1 <= (better.severity or 0) <= (worse.severity or 0) <= 1


@few
@given(scale=st.floats(1e-6, 1e6), failing=st.booleans())
def test_layer_sizes_do_not_matter(build_record: BuildRecord, scale: float, failing: bool) -> None:
    """Ratios inside the generator are compared with their first values, whatever their size."""
    late = 1e-6 if failing else 0.2
    record = build_record(**FROZEN | {"first_to_last": scale * np.array(falling(0.3, late))})
    assert detect(record).status == ("present" if failing else "absent")


@few
@given(st.floats(1e-12, 1e12), st.booleans())
def test_gradient_norm_is_not_used(build_record: BuildRecord, size: float, failing: bool) -> None:
    """Signals that the detector does not read, such as the gradient norm, change nothing."""
    other = {"gradient/norm/generator": size, "gradient/relative/generator": size}
    values = VANISHED if failing else {}
    assert detect(build_record(other=other, **values)) == detect(build_record(**values))
