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
FAKES = {  # discriminator's loss on the fakes and generator's loss, by their score
    "non_saturating": (lambda s: np.logaddexp(0, s), lambda s: np.logaddexp(0, -s)),
    "saturating": (lambda s: np.logaddexp(0, s), lambda s: -np.logaddexp(0, s)),
    "hinge": (lambda s: np.maximum(0, 1 + s), lambda s: -s),
    "least_squares": (lambda s: s**2 / 2, lambda s: (s - 1) ** 2 / 2),
    "wasserstein": (lambda s: s, lambda s: -s),
}
REALS = {  # discriminator's loss on real samples, by their score
    "non_saturating": lambda s: np.logaddexp(0, -s),
    "saturating": lambda s: np.logaddexp(0, -s),
    "hinge": lambda s: np.maximum(0, 1 - s),
    "least_squares": lambda s: (s - 1) ** 2 / 2,
    "wasserstein": lambda s: -s,
}
SCALED = [name for name in CHANCE_LOSS if name != "wasserstein"]
SMALL = 0.02 + 1e-3 * np.random.default_rng(0).random(ROWS)  # saturated or not, by the scale
few = settings(deadline=None, max_examples=20)


def played(objective: str, apart: float, rows: int = ROWS, seed: int = 0) -> Losses:
    """Losses of batches of 64 whose real and fake scores lie `apart` from each other."""
    draw = np.random.default_rng(seed)
    middle = 0.5 if objective == "least_squares" else 0.0  # where its two targets meet
    width = 0.05 if objective == "least_squares" else 0.5
    fake, real = (
        middle + sign * apart / 2 + width * draw.standard_normal((rows, 64)) for sign in (-1, 1)
    )
    on_fake, generator = FAKES[objective]
    discriminator = REALS[objective](real).mean(1) + on_fake(fake).mean(1)
    return np.asarray(discriminator), np.asarray(generator(fake).mean(1))


def logged(losses: Losses, every: int = 100, classes: Any = None, **facts: Any) -> Record:
    """A record of losses, a row every so many steps."""
    steps = every * np.arange(1, len(losses[0]) + 1)
    names = ("loss/value/discriminator", "loss/value/generator")
    signals = {name: Signal(steps, values) for name, values in zip(names, losses, strict=True)}
    if classes is not None:
        values = np.broadcast_to(np.asarray(classes, float), len(steps))
        signals["loss/class/discriminator"] = Signal(steps, values)
    return Record(signals, facts)


def judged(losses: Losses, **other: Any) -> Diagnosis:
    """What the detector says of losses."""
    return DiscriminatorSaturation().detect(logged(losses, **other))


def joined(*parts: Losses) -> Losses:
    """Losses one after another."""
    discriminator, generator = zip(*parts, strict=True)
    return np.concatenate(discriminator), np.concatenate(generator)


@pytest.mark.parametrize("objective", SCALED)
def test_chance_is_the_level_of_one_score(objective: str) -> None:
    """The level at chance is the least loss of one score for all samples."""
    scores = np.linspace(-3, 3, 601)
    least = (REALS[objective](scores) + FAKES[objective][0](scores)).min()
    assert least == pytest.approx(CHANCE_LOSS[objective], abs=1e-3)


@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("objective", SCALED)
def test_saturated_and_healthy_are_told_apart(objective: str, told: bool) -> None:
    """Scores far apart saturate, scores that overlap do not: with the objective told or guessed."""
    facts = {"objective": objective} if told else {}
    far = 1.0 if objective == "least_squares" else 16.0
    sick = judged(played(objective, far), **facts)
    assert (sick.status, sick.kind) == ("present", "saturated")
    healthy = judged(played(objective, far / 12), **facts)
    assert healthy.status == "absent"
    assert ("told" in healthy.summary) == told or "not told" in healthy.summary


@pytest.mark.parametrize("objective", CHANCE_LOSS)
@pytest.mark.parametrize("apart", [0.0, 0.5, 1.0, 4.0, 16.0])
def test_truth_is_never_ruled_out(objective: str, apart: float) -> None:
    """Losses that an objective has made are possible under it, at chance and saturated."""
    discriminator, generator = played(objective, apart)
    if objective == "wasserstein" and apart == 0.0:
        generator = generator + 1  # at rest both signs come up; it is the sign of D's that tells
    assert objective in possible_objectives(discriminator, generator, 20)


def test_sign_tells_the_objective() -> None:
    """Below zero: the discriminator's is a critic's; the generator's is no cross-entropy."""
    assert possible_objectives(*played("wasserstein", 1.0), 20) == ("wasserstein",)
    assert possible_objectives(*played("hinge", 0.0), 20) == ("hinge",)
    assert "saturating" in possible_objectives(*played("saturating", 1.0), 20)


@few
@given(onset=st.integers(60, 140))
def test_onset_is_where_it_began(onset: int) -> None:
    """Onset lies where the loss fell, to within a window of 20 looks; before it, none is seen."""
    losses = joined(played("hinge", 1.0, onset), played("hinge", 16.0, ROWS - onset))
    found = judged(losses)
    assert found.status == "present"
    assert found.onset is not None
    assert 0 <= found.onset / 100 - onset <= 20
    assert DiscriminatorSaturation().detect(logged(losses).until(100 * onset)).status == "absent"


def test_recovery_ends_it() -> None:
    """A loss that is back where it was is no longer saturated."""
    back = joined(played("hinge", 16.0, 100), played("hinge", 1.0, 100))
    assert judged(back).status == "absent"
    assert DiscriminatorSaturation().detect(logged(back).until(10_000)).status == "present"


def test_odd_rows_change_nothing() -> None:
    """A saturated loss that jumps at every fifth row is saturated still, and the reverse."""
    sick, healthy = played("hinge", 16.0), played("hinge", 1.0)
    odd = np.arange(ROWS) % 5 == 0
    for most, others, status in ((sick, healthy, "present"), (healthy, sick, "absent")):
        mixed = tuple(np.where(odd, b, a) for a, b in zip(most, others, strict=True))
        assert judged(mixed, objective="hinge").status == status  # type: ignore[arg-type]


@few
@given(scale=st.floats(1e-3, 1e3), noise=st.floats(1e-9, 1e-7))
def test_dead_critic_is_judged_by_its_own_scores(scale: float, noise: float) -> None:
    """A critic is dead where its loss is rounding beside its scores, whatever their size."""
    draw = np.random.default_rng(0)
    generator = scale * (1 + 0.1 * draw.standard_normal(ROWS))
    dead = judged((scale * noise * draw.standard_normal(ROWS), generator))
    assert (dead.status, dead.kind) == ("present", "dead_critic")
    alive = judged((-0.01 * scale * (1 + 0.1 * draw.standard_normal(ROWS)), generator))
    assert alive.status == "absent"


def test_critic_without_generator_is_inconclusive() -> None:
    """A critic's loss alone has no scale."""
    discriminator, _ = played("wasserstein", 1.0)
    found = judged((discriminator, np.full(ROWS, np.nan)))
    assert found.status == "inconclusive"


def test_unmoved_loss_is_dead() -> None:
    """A loss that stays the same to the last digit is dead under every objective, but for 0."""
    generator = np.zeros(ROWS)
    found = judged((np.full(ROWS, 13.8155), generator))
    assert (found.status, found.kind) == ("present", "constant")
    assert judged((np.zeros(ROWS), played("hinge", 16.0)[1])).kind == "saturated"


@pytest.mark.parametrize("objective", SCALED)
def test_term_above_chance_is_noticed(objective: str) -> None:
    """A loss above its level at chance for long has another term in it: no verdict, nor later."""
    discriminator, generator = played(objective, 0.1)
    mixed = discriminator + 3 * CHANCE_LOSS[objective]
    found = judged((mixed, generator), objective=objective)
    assert found.status == "inconclusive"
    assert "another term" in found.summary
    later = joined((mixed, generator), (discriminator, generator))
    assert judged(later, objective=objective).status == "inconclusive"


def test_told_terms_forbid_absent() -> None:
    """Who says that other terms are in the loss hears no absent, but present where it is low."""
    assert judged(played("hinge", 1.0), mixed=True).status == "inconclusive"
    assert judged(played("hinge", 16.0), mixed=True).status == "present"


@pytest.mark.parametrize(("apart", "status"), [(16.0, "present"), (1.0, "absent")])
@pytest.mark.parametrize("weight", [0.25, 1.0])
def test_logged_class_term_is_taken_off(apart: float, status: str, weight: float) -> None:
    """With its weight told, the term is taken off; else the answer holds for all possible ones."""
    discriminator, generator = played("hinge", apart)
    classes = 1.0 + np.random.default_rng(1).random(ROWS)
    whole = (discriminator + weight * classes, generator)
    told = judged(whole, classes=classes, class_weight=weight, objective="hinge")
    assert told.status == status
    guessed = judged(whole, classes=classes, objective="hinge")
    assert guessed.status == ("inconclusive" if status == "present" else "absent")


def test_told_chance_is_believed() -> None:
    """The same loss is saturated at one level at chance, and not at another."""
    losses = (SMALL, np.full(ROWS, 5.0))
    assert judged(losses, chance=1.386).status == "present"
    assert judged(losses, chance=0.1).status == "absent"


def test_scales_that_disagree_are_inconclusive() -> None:
    """Where it depends on an objective that is not told, nothing is said, and what to tell is."""
    found = judged((SMALL, np.full(ROWS, np.nan)))
    assert found.status == "inconclusive"
    assert "--objective" in found.summary


def test_low_loss_is_not_called_healthy() -> None:
    """Between saturated and healthy there is a stretch in which nothing is said."""
    draw = np.random.default_rng(0)
    losses = (0.12 + 0.01 * draw.random(ROWS), 1.5 + draw.random(ROWS))
    found = judged(losses, objective="hinge")
    assert (found.status, round(found.evidence[0].observed, 2)) == ("inconclusive", 0.06)


@pytest.mark.parametrize(("every", "rows"), [(1, 20_000), (10, 2000), (100, 200), (1000, 60)])
def test_rows_between_do_not_matter(every: int, rows: int) -> None:
    """Logged at each step or at each thousandth, the answer is the same."""
    for apart, status in ((16.0, "present"), (1.0, "absent")):
        assert judged(played("hinge", apart, rows), every=every).status == status


def test_epochs_need_fewer_rows() -> None:
    """A row an epoch stands for many steps; in other units it takes 39 rows."""
    losses = played("hinge", 16.0, 12)
    assert judged(losses, every=1, unit="epoch").status == "present"
    assert judged(losses, every=1, unit="row").status == "inconclusive"
    assert "Too early" in judged(losses).summary


def test_severity_grows_with_depth() -> None:
    """The further below the gate, the worse, up to 1 at exactly 0."""
    draw = np.random.default_rng(0)
    found = [
        judged((level * (1 + 0.1 * draw.random(ROWS)), np.full(ROWS, 9.0)), objective="hinge")
        for level in (1e-2, 1e-4, 0.0)
    ]
    severities = [diagnosis.severity or math.nan for diagnosis in found]
    assert severities == sorted(severities)
    assert severities[-1] == 1
