"""Tests of the discriminator saturation detector on losses of simulated scores."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gandiag.diagnosis.detectors._loss_scale import CHANCE_LOSS, possible_objectives
from gandiag.diagnosis.detectors.discriminator_saturation import DiscriminatorSaturation
from gandiag.diagnosis.diagnosis import Diagnosis
from gandiag.records.record import Record, Signal

Array = NDArray[np.float64]
Losses = tuple[Array, Array]

ROWS = 200
# Losses by the score of generated samples: the discriminator's and the generator's.
FAKES = {
    "non_saturating": (lambda s: np.logaddexp(0, s), lambda s: np.logaddexp(0, -s)),
    "saturating": (lambda s: np.logaddexp(0, s), lambda s: -np.logaddexp(0, s)),
    "hinge": (lambda s: np.maximum(0, 1 + s), lambda s: -s),
    "least_squares": (lambda s: s**2 / 2, lambda s: (s - 1) ** 2 / 2),
    "wasserstein": (lambda s: s, lambda s: -s),
}
# The discriminator's loss on real samples, by their score.
REALS = {
    "non_saturating": lambda s: np.logaddexp(0, -s),
    "saturating": lambda s: np.logaddexp(0, -s),
    "hinge": lambda s: np.maximum(0, 1 - s),
    "least_squares": lambda s: (s - 1) ** 2 / 2,
    "wasserstein": lambda s: -s,
}
SCALED = [name for name in CHANCE_LOSS if name != "wasserstein"]
# A loss that is saturated under one objective, and not under another.
SMALL = 0.02 + 1e-3 * np.random.default_rng(0).random(ROWS)
few = settings(deadline=None, max_examples=20)


def simulate(objective: str, apart: float, rows: int = ROWS, seed: int = 0) -> Losses:
    """Losses of batches of 64 scores, with a distance `apart` between real and generated ones.

    The first row is of networks before their training, whose scores are alike.
    """
    draw = np.random.default_rng(seed)
    middle = 0.5 if objective == "least_squares" else 0.0  # between its two targets
    width = 0.05 if objective == "least_squares" else 0.5
    fake, real = (
        middle + sign * apart / 2 + width * draw.standard_normal((rows, 64)) for sign in (-1, 1)
    )
    fake[0], real[0] = fake[0] + apart / 2, real[0] - apart / 2
    on_fake, generator = FAKES[objective]
    discriminator = REALS[objective](real).mean(1) + on_fake(fake).mean(1)
    return np.asarray(discriminator), np.asarray(generator(fake).mean(1))


def make_record(losses: Losses, every: int = 100, classes: Any = None, **facts: Any) -> Record:
    """A record of losses with a row every `every` steps."""
    steps = every * np.arange(1, len(losses[0]) + 1)
    names = ("loss/value/discriminator", "loss/value/generator")
    signals = {name: Signal(steps, values) for name, values in zip(names, losses, strict=True)}
    if classes is not None:
        values = np.broadcast_to(np.asarray(classes, float), len(steps))
        signals["loss/class/discriminator"] = Signal(steps, values)
    return Record(signals, facts)


def detect(losses: Losses, **other: Any) -> Diagnosis:
    """The detector's diagnosis of losses."""
    return DiscriminatorSaturation().detect(make_record(losses, **other))


def concatenate(*parts: Losses) -> Losses:
    """Several series of losses, one after another."""
    discriminator, generator = zip(*parts, strict=True)
    return np.concatenate(discriminator), np.concatenate(generator)


@pytest.mark.parametrize("objective", SCALED)
def test_chance_is_the_level_of_one_score(objective: str) -> None:
    """The loss at chance is the least loss with one score for all samples."""
    scores = np.linspace(-3, 3, 601)
    least = (REALS[objective](scores) + FAKES[objective][0](scores)).min()
    assert least == pytest.approx(CHANCE_LOSS[objective], abs=1e-3)


@pytest.mark.parametrize("given_objective", [True, False])
@pytest.mark.parametrize("objective", SCALED)
def test_saturated_and_healthy_differ(objective: str, given_objective: bool) -> None:
    """Scores far apart saturate, overlapping ones do not, whether the objective is given or not."""
    facts = {"objective": objective} if given_objective else {}
    far = 1.0 if objective == "least_squares" else 16.0
    saturated = detect(simulate(objective, far), **facts)
    assert (saturated.status, saturated.kind) == ("present", "saturated")
    healthy = detect(simulate(objective, far / 12), **facts)
    assert healthy.status == "absent"
    assert ("as given" in healthy.summary) == given_objective


@pytest.mark.parametrize("objective", CHANCE_LOSS)
@pytest.mark.parametrize("apart", [0.0, 0.5, 1.0, 4.0, 16.0])
def test_true_objective_is_never_excluded(objective: str, apart: float) -> None:
    """The losses of an objective are possible under it, at chance and saturated."""
    discriminator, generator = simulate(objective, apart)
    if objective == "wasserstein" and apart == 0.0:
        generator = generator + 1  # at chance, the sign of the generator's loss is random
    assert objective in possible_objectives(discriminator, generator, 20)


def test_sign_excludes_objectives() -> None:
    """A negative loss of D is a critic's; a negative loss of G is no cross-entropy."""
    assert possible_objectives(*simulate("wasserstein", 1.0), 20) == ("wasserstein",)
    assert possible_objectives(*simulate("hinge", 0.0), 20) == ("hinge",)
    assert "saturating" in possible_objectives(*simulate("saturating", 1.0), 20)


@few
@given(onset=st.integers(60, 140))
def test_onset_is_where_the_loss_fell(onset: int) -> None:
    """The onset is where the loss fell, within a window of 20 intervals, and not before."""
    losses = concatenate(simulate("hinge", 1.0, onset), simulate("hinge", 16.0, ROWS - onset))
    found = detect(losses)
    assert found.status == "present"
    assert found.onset is not None
    assert 0 <= found.onset / 100 - onset <= 20
    assert (
        DiscriminatorSaturation().detect(make_record(losses).until(100 * onset)).status == "absent"
    )


def test_recovery_ends_it() -> None:
    """A loss that has risen again is no longer saturated."""
    back = concatenate(simulate("hinge", 16.0, 100), simulate("hinge", 1.0, 100))
    assert detect(back).status == "absent"
    assert DiscriminatorSaturation().detect(make_record(back).until(10_000)).status == "present"


def test_odd_rows_change_nothing() -> None:
    """A saturated loss with an outlier at every fifth row is still saturated, and vice versa."""
    saturated, healthy = simulate("hinge", 16.0), simulate("hinge", 1.0)
    odd = np.arange(ROWS) % 5 == 0
    for most, others, status in ((saturated, healthy, "present"), (healthy, saturated, "absent")):
        mixed = tuple(np.where(odd, b, a) for a, b in zip(most, others, strict=True))
        assert detect(mixed, objective="hinge").status == status  # type: ignore[arg-type]


@few
@given(scale=st.floats(1e-3, 1e3), noise=st.floats(1e-9, 1e-7))
def test_dead_critic_is_relative_to_its_scores(scale: float, noise: float) -> None:
    """A critic is dead where its loss is only the rounding of its scores, whatever their size."""
    draw = np.random.default_rng(0)
    generator = scale * (1 + 0.1 * draw.standard_normal(ROWS))
    dead = detect((scale * noise * draw.standard_normal(ROWS), generator))
    assert (dead.status, dead.kind) == ("present", "dead_critic")
    alive = detect((-0.01 * scale * (1 + 0.1 * draw.standard_normal(ROWS)), generator))
    assert alive.status == "absent"


def test_rounded_zeros_of_a_critic_are_inconclusive() -> None:
    """A critic's loss that is printed as 0.0000 is only known to its last digit."""
    generator = np.linspace(-0.02, 0.02, ROWS) - 0.03
    loss = np.linspace(-0.4, 0.0, ROWS) ** 5  # healthy, and smaller than the last digit at the end
    assert detect((np.round(loss, 4), generator)).status == "inconclusive"
    assert detect((np.round(loss, 4) * 1e-9, generator)).status == "present"


def test_critic_without_generator_is_inconclusive() -> None:
    """A critic's loss alone has no scale."""
    discriminator, _ = simulate("wasserstein", 1.0)
    found = detect((discriminator, np.full(ROWS, np.nan)))
    assert found.status == "inconclusive"


def test_constant_loss_is_dead() -> None:
    """A loss that is constant to the last digit is dead under every objective, except 0."""
    generator = np.zeros(ROWS)
    found = detect((np.full(ROWS, 13.8155), generator))
    assert (found.status, found.kind) == ("present", "constant")
    zero, generator = simulate("hinge", 16.0)
    assert not zero[1:].any()
    assert detect((zero, generator)).kind == "saturated"


@pytest.mark.parametrize("objective", SCALED)
def test_loss_above_chance_has_another_term(objective: str) -> None:
    """A loss above its level at chance for long has another term: inconclusive, also later."""
    discriminator, generator = simulate(objective, 0.1)
    mixed = discriminator + 3 * CHANCE_LOSS[objective]
    found = detect((mixed, generator), objective=objective)
    assert found.status == "inconclusive"
    assert "another term" in found.summary
    later = concatenate((mixed, generator), (discriminator, generator))
    assert detect(later, objective=objective).status == "inconclusive"


def test_given_terms_exclude_absent() -> None:
    """With other terms in the loss it is never absent, but present where the loss is low."""
    assert detect(simulate("hinge", 1.0), mixed=True).status == "inconclusive"
    assert detect(simulate("hinge", 16.0), mixed=True).status == "present"


@pytest.mark.parametrize(("apart", "status"), [(16.0, "present"), (1.0, "absent")])
@pytest.mark.parametrize("weight", [0.25, 1.0])
def test_logged_class_term_is_subtracted(apart: float, status: str, weight: float) -> None:
    """With a given weight the term is subtracted; otherwise all possible weights must agree."""
    discriminator, generator = simulate("hinge", apart)
    classes = 1.0 + np.random.default_rng(1).random(ROWS)
    total = (discriminator + weight * classes, generator)
    given = detect(total, classes=classes, class_weight=weight, objective="hinge")
    assert given.status == status
    unknown = detect(total, classes=classes, objective="hinge")
    assert unknown.status == ("inconclusive" if status == "present" else "absent")


def test_given_chance_is_used() -> None:
    """The same loss is saturated for one given loss at chance, and not for another."""
    losses = (SMALL, np.full(ROWS, 5.0))
    assert detect(losses, chance=1.386).status == "present"
    assert detect(losses, chance=0.1).status == "absent"


def test_scales_that_disagree_are_inconclusive() -> None:
    """Where the objectives disagree, the summary names the options that would help."""
    found = detect((SMALL, np.full(ROWS, np.nan)))
    assert found.status == "inconclusive"
    assert "--objective" in found.summary


def test_low_loss_is_inconclusive() -> None:
    """Between saturated and healthy losses, there is a range without a result."""
    draw = np.random.default_rng(0)
    losses = (0.12 + 0.01 * draw.random(ROWS), 1.5 + draw.random(ROWS))
    found = detect(losses, objective="hinge")
    assert (found.status, round(found.evidence[0].observed, 2)) == ("inconclusive", 0.06)


@pytest.mark.parametrize(("every", "rows"), [(1, 20_000), (10, 2000), (100, 200), (1000, 60)])
def test_logging_interval_does_not_matter(every: int, rows: int) -> None:
    """Logged at each step or at each thousandth, the result is the same."""
    for apart, status in ((16.0, "present"), (1.0, "absent")):
        assert detect(simulate("hinge", apart, rows), every=every).status == status


def test_epochs_need_fewer_rows() -> None:
    """A row per epoch has many steps; in other units 39 rows are needed."""
    losses = simulate("hinge", 16.0, 12)
    assert detect(losses, every=1, unit="epoch").status == "present"
    assert detect(losses, every=1, unit="row").status == "inconclusive"
    assert "Too early" in detect(losses).summary


def test_severity_grows_with_depth() -> None:
    """The farther below the threshold, the higher the severity, up to 1 at exactly 0."""
    draw = np.random.default_rng(0)
    found = [
        detect(
            (np.append(2.0, level * (1 + 0.1 * draw.random(ROWS))), np.full(ROWS + 1, 9.0)),
            objective="hinge",
        )
        for level in (1e-2, 1e-4, 0.0)
    ]
    severities = [diagnosis.severity or math.nan for diagnosis in found]
    assert severities == sorted(severities)
    assert severities[-1] == 1
