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

Looks = Callable[..., Record]

FROZEN = {"motion": 1e-3, "energy": 0.9, "effective": 0.05, "precision": 0.0}  # [B] and [C]
DYING = FROZEN | {"slope": 1e-4, "auc": 1.0}  # and [A]

few = settings(deadline=None, max_examples=20)


def judged(record: Record) -> Diagnosis:
    """What the detector says of a record."""
    return VanishingGradients().detect(record)


def falling(early: float, late: float, count: int = 40) -> list[float]:
    """A signal that is `early` for 10 looks and `late` from then on."""
    return [early] * 10 + [late] * (count - 10)


@pytest.mark.parametrize(
    ("cause", "link"),
    [
        ("saturated_objective", {"slope": 1e-4}),
        ("saturated_objective", {"slope": 0.0, "critic": np.nan}),  # float32 gives exactly 0
        ("flat_discriminator", {"slope": 1.0, "critic": 1e-3}),  # a dead critic
        ("flat_discriminator", {"slope": 1.0, "score_spread": 1e-8}),  # one answer to everything
        ("generator_layers", {"layers": falling(0.3, 1e-6)}),
        ("generator_layers", {"passage": falling(10.0, 1e-4)}),
        ("generator_layers", {"layers": 0.0}),  # dead from the first step
        ("optimizer", {"update": 1e-8}),  # a learning rate that is too small
        ("saturated_objective", {"slope": 1e-4, "update": 1e-8}),  # the first flat link is named
        ("saturated_objective", {"slope": 1e-4, "layers": falling(0.3, 1e-6)}),  # the first link
    ],
)
def test_flat_link_is_the_cause(looks: Looks, cause: str, link: dict[str, Any]) -> None:
    """A generator that stands still far from the data is ill; the first flat link says why."""
    found = judged(looks(**FROZEN | link))
    assert (found.status, found.kind, found.cause) == ("present", cause, cause)


@pytest.mark.parametrize(
    "healthy",
    [
        {"slope": 1e-4, "auc": 1.0, "motion": 0.3, "energy": 0.9},  # D is sure, G moves
        {"slope": 1.0, "passage": 1e-6, "layers": 1e-6, "motion": 0.08, "energy": 0.5},  # W-clip
        {"slope": 1e-4, "motion": 1e-4, "energy": 0.02},  # the learning rate has decayed: arrived
        {"slope": 1.0, "auc": 1.0, "loss": 1e-6},  # D's loss is 0 while G learns
    ],
)
def test_two_of_three_are_not_enough(looks: Looks, healthy: dict[str, Any]) -> None:
    """A flat link, a resting generator, or garbage: each is normal without the others."""
    assert judged(looks(**healthy)).status == "absent"


def test_stillness_without_flat_link_is_told(looks: Looks) -> None:
    """Where a signal arrives, the weights move and the samples do not, another failure is meant."""
    found = judged(looks(**FROZEN))
    assert found.status == "absent"
    assert "stand still far from the data" in found.summary


@pytest.mark.parametrize(
    "lost", [{"slope": np.nan, "critic": np.nan, "score_spread": np.nan, "passage": np.nan,
              "layers": np.nan}, {"motion": np.nan}, {"energy": np.nan}],
)  # fmt: skip
def test_nan_is_inconclusive(looks: Looks, lost: dict[str, float]) -> None:
    """Where a leg of the rule gives no number, nothing is said; neither here nor there."""
    assert judged(looks(**DYING | lost)).status == "inconclusive"


def test_onset_is_first_look(looks: Looks) -> None:
    """The onset is the first of the looks that agreed, not the step of the alarm."""
    record = looks(slope=falling(0.5, 1e-4), motion=falling(0.2, 1e-3), energy=0.9)
    assert judged(record.until(600)).status == "absent"
    assert judged(record.until(650)).status == "present"
    assert {judged(record.until(step)).onset for step in range(650, 2001, 50)} == {550}


@few
@given(odd=st.integers(0, 39), sick=st.booleans())
def test_odd_look_changes_nothing(looks: Looks, odd: int, sick: bool) -> None:
    """One look unlike the others neither raises the alarm nor ends it."""
    usual, other = (1e-4, 0.5) if sick else (0.5, 1e-4)
    slope = [usual] * 40
    slope[odd] = other
    still = {"slope": slope, "critic": 3.0, "motion": 1e-3, "energy": 0.9}
    moves = FROZEN if sick else {}
    assert judged(looks(**still | moves)).status == ("present" if sick else "absent")


def test_recovery_ends_it(looks: Looks) -> None:
    """Once the generator moves again, it is over, however far it still is from the data."""
    record = looks(slope=falling(1e-4, 0.5), motion=falling(1e-3, 0.2), energy=0.9)
    assert judged(record.until(500)).status == "present"
    assert judged(record).status == "absent"


@few
@given(st.lists(st.floats(1e-12, 9e-3), min_size=2, max_size=2))
def test_severity_grows_with_depth(looks: Looks, slopes: list[float]) -> None:
    """The flatter the objective, the worse; the scale is decades, between 0.1 and 1."""
    worse, better = (judged(looks(**DYING | {"slope": slope})) for slope in sorted(slopes))
    assert 0.1 <= (better.severity or 0) <= (worse.severity or 0) <= 1


@few
@given(scale=st.floats(1e-6, 1e6), sick=st.booleans())
def test_layer_sizes_do_not_matter(looks: Looks, scale: float, sick: bool) -> None:
    """What lies inside G is compared with its own beginning: its unit is the network's."""
    late = 1e-6 if sick else 0.2
    record = looks(**FROZEN | {"layers": (scale * np.array(falling(0.3, late))).tolist()})
    assert judged(record).status == ("present" if sick else "absent")


@few
@given(st.floats(1e-12, 1e12), st.booleans())
def test_gradient_size_is_not_asked(looks: Looks, size: float, sick: bool) -> None:
    """Signals that it does not read, such as the gradient's size, change nothing."""
    other = {"gradient/norm/generator": size, "gradient/relative/generator": size}
    values = DYING if sick else {}
    assert judged(looks(other=other, **values)) == judged(looks(**values))
