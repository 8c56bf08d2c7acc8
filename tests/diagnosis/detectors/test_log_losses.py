"""Tests of the detectors that judge the two losses of a log together, on simulated scores."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gandiag.diagnosis.detectors.contradictory_losses import ContradictoryLosses
from gandiag.diagnosis.detectors.discriminator_saturation import DiscriminatorSaturation
from gandiag.diagnosis.detectors.double_sigmoid_loss import CHANCE, FLOOR, DoubleSigmoidLoss
from gandiag.diagnosis.detectors.fooled_discriminator import FooledDiscriminator
from gandiag.diagnosis.detectors.quality_regression import QualityRegression
from gandiag.records.record import Record, Signal
from tests.diagnosis.detectors.test_discriminator_saturation import (
    CHANCE_LOSS,
    ROWS,
    make_record,
    simulate,
)

Array = NDArray[np.float64]

LOSS_DETECTORS = (ContradictoryLosses(), FooledDiscriminator(), DoubleSigmoidLoss())
DRAW = np.random.default_rng(0)


def sigmoid(values: Array) -> Array:
    """1 / (1 + exp(-values))."""
    return np.asarray(1 / (1 + np.exp(-values)))


def simulate_double_sigmoid(apart: float, is_mean: bool = False) -> tuple[Array, Array]:
    """Losses of batches whose scores pass through two sigmoids, `apart` between both classes."""
    fake, real = (sign * apart / 2 + DRAW.standard_normal((ROWS, 64)) for sign in (-1, 1))
    on_real = -np.log(sigmoid(sigmoid(real))).mean(1)
    on_fake = -np.log(1 - sigmoid(sigmoid(fake))).mean(1)
    generator = -np.log(sigmoid(sigmoid(fake))).mean(1)
    return np.asarray((on_real + on_fake) / (2 if is_mean else 1)), np.asarray(generator)


@pytest.mark.parametrize("objective", CHANCE_LOSS)
@pytest.mark.parametrize("is_given", [True, False])
def test_possible_losses_have_no_failure(objective: str, is_given: bool) -> None:
    """Losses that an objective gives, at chance or saturated, are no failure of their pair."""
    facts = {"objective": objective} if is_given else {}
    for apart in (0.0, 0.3, 1.0, 2.0, 4.0, 16.0):
        for detector in LOSS_DETECTORS:
            found = detector.detect(make_record(simulate(objective, apart), **facts))
            assert found.status != "present", (apart, found.summary)


@pytest.mark.parametrize("level", [1e-7, 1e-4, 1e-2])
def test_both_near_zero_is_contradictory(level: float) -> None:
    """If both losses are near zero, no objective allows them; saturation is then inconclusive."""
    pair = level * DRAW.random(ROWS), level * DRAW.random(ROWS)
    found = ContradictoryLosses().detect(make_record(pair))
    assert (found.status, found.kind, found.about) == ("present", "both_near_zero", "loop")
    assert "no objective allows this pair of losses" in found.summary
    assert found.evidence[0].holds
    assert DiscriminatorSaturation().detect(make_record(pair)).status == "inconclusive"
    # A generator's loss that was rounded to 0 is near zero, too.
    rounded = pair[0], np.where(np.arange(ROWS) < 9, 0.7, 0.0)
    assert ContradictoryLosses().detect(make_record(rounded)).status == "present"


def test_contradiction_has_exceptions() -> None:
    """A critic, a weighted term and a saturated minimax loss may be near zero in both networks."""
    pair = 1e-4 * DRAW.random(ROWS), 1e-4 * DRAW.random(ROWS)
    detect = ContradictoryLosses().detect
    assert detect(make_record(pair, objective="wasserstein")).status == "absent"
    assert detect(make_record(pair, weighted=True)).status == "inconclusive"
    assert detect(make_record((pair[0], -pair[1]))).status == "absent"
    # Further terms only add to the generator's loss.
    assert (
        detect(make_record((pair[0], pair[1] + 30), objective="least_squares")).status == "absent"
    )


def test_onset_of_contradiction() -> None:
    """The onset is where both losses fall, not the begin of the log."""
    healthy = simulate("non_saturating", 1.0)
    late = np.arange(ROWS) >= 100
    pair = np.where(late, 1e-5, healthy[0]), np.where(late, 1e-5, healthy[1])
    onset = ContradictoryLosses().detect(make_record(pair)).onset
    assert onset is not None
    assert abs(onset / 100 - 100) <= 10


@pytest.mark.parametrize("objective", ["non_saturating", "least_squares", "hinge"])
def test_discriminator_that_does_not_learn_is_fooled(objective: str) -> None:
    """If fakes get the scores of real samples and reverse, D is fooled; before, it is not."""
    swapped = simulate(objective, -8.0 if objective != "least_squares" else -1.0)
    found = FooledDiscriminator().detect(make_record(swapped))
    assert (found.status, found.kind) == ("present", "above_chance"), found.summary
    healthy = simulate(objective, 1.0)
    late = np.arange(ROWS) >= 100
    losses = tuple(np.where(late, b, a) for a, b in zip(healthy, swapped, strict=True))
    onset = FooledDiscriminator().detect(make_record(losses)).onset  # type: ignore[arg-type]
    assert onset is not None
    assert abs(onset / 100 - 100) <= 10


def test_further_terms_do_not_fool() -> None:
    """A loss of D that is above chance because of a class term is not a fooled discriminator."""
    discriminator, generator = simulate("non_saturating", 1.0)
    found = FooledDiscriminator().detect(make_record((discriminator + 3, generator)))
    assert found.status == "absent"


@pytest.mark.parametrize("is_mean", [True, False])
def test_double_sigmoid_is_found_at_its_floor(is_mean: bool) -> None:
    """Two sigmoids have a floor, which a discriminator that separates well comes near to."""
    losses = simulate_double_sigmoid(8.0, is_mean)
    assert losses[0].min() > FLOOR / (2 if is_mean else 1)
    found = DoubleSigmoidLoss().detect(make_record(losses))
    assert (found.status, found.kind) == ("present", "two_sigmoids")
    assert "BCEWithLogitsLoss" in found.summary


def test_single_row_beyond_the_bounds_excludes_double_sigmoid() -> None:
    """The bounds hold for each batch, so one smaller loss excludes the bug."""
    discriminator, generator = simulate_double_sigmoid(8.0)
    discriminator[70] = 0.9
    assert DoubleSigmoidLoss().detect(make_record((discriminator, generator))).status == "absent"


def test_chance_is_no_double_sigmoid() -> None:
    """A healthy discriminator at chance has losses within the bounds, but not at the floor."""
    pair = np.full(ROWS, CHANCE) - 1e-3, np.full(ROWS, CHANCE / 2) - 1e-4
    assert DoubleSigmoidLoss().detect(make_record(pair)).status == "absent"


@pytest.mark.parametrize(("apart", "status"), [(1.0, "absent"), (16.0, "present")])
def test_discriminator_is_judged_from_its_start(apart: float, status: str) -> None:
    """Rows of exactly 0 before the discriminator starts are left out; the rest is evaluated."""
    discriminator, generator = simulate("non_saturating", apart)
    wait = np.zeros(100)
    found = DiscriminatorSaturation().detect(
        make_record((np.append(wait, discriminator), np.append(wait + 0.5, generator)))
    )
    assert found.status == status
    assert "starts at step 10100" in found.summary
    never = DiscriminatorSaturation().detect(make_record((np.zeros(ROWS), generator)))
    assert never.status == "inconclusive"
    assert "has not started" in never.summary


def test_hinge_may_be_dead_from_the_first_row() -> None:
    """If hinge is given, exact zeros beside a generator loss above 1 are saturation."""
    zeros, certain = np.zeros(ROWS), np.full(ROWS, 3.0)
    for objective, generator, status in (
        ("hinge", certain, "present"),
        ("hinge", certain - 2.5, "inconclusive"),
        ("non_saturating", certain, "inconclusive"),
    ):
        record = make_record((zeros, generator), objective=objective)
        assert DiscriminatorSaturation().detect(record).status == status
    found = DiscriminatorSaturation().detect(make_record((zeros, certain)))
    assert "--objective hinge" in found.summary


@pytest.mark.parametrize("detector", [DiscriminatorSaturation(), *LOSS_DETECTORS])
@pytest.mark.parametrize("network", [0, 1])
def test_nothing_is_absent_after_nan(detector: Any, network: int) -> None:
    """Where a loss ends as NaN, no loss condition is absent; a single NaN is noise."""
    losses = [np.array(loss) for loss in simulate("hinge", 1.0)]
    losses[network][50] = np.nan
    before = detector.detect(make_record((losses[0], losses[1])))
    losses[network][-30:] = np.nan
    found = detector.detect(make_record((losses[0], losses[1])))
    assert (before.status, found.status) == ("absent", "inconclusive")
    assert found.summary.startswith(f"From step {100 * (ROWS - 29)} on the losses are not finite")


@pytest.mark.parametrize(("rows", "every"), [(10, 2000), (12, 400), (40, 400)])
def test_few_rows_far_apart_are_evaluations(rows: int, every: int) -> None:
    """Rows that are far apart last as long as a window of many rows, and fewer of them suffice."""
    for apart, status in ((1.0, "absent"), (16.0, "present")):
        record = make_record(simulate("hinge", apart, rows), every=every)
        assert DiscriminatorSaturation().detect(record).status == status


@pytest.mark.parametrize(("rows", "every"), [(3000, 1), (300, 10), (100, 1)])
def test_rows_of_a_short_run_are_evaluations(rows: int, every: int) -> None:
    """A run with few steps has shorter intervals, so that a third of it suffices."""
    healthy, dead = simulate("hinge", 1.0, rows), simulate("hinge", 16.0, rows)
    late = np.arange(rows) >= rows // 3
    losses = tuple(np.where(late, b, a) for a, b in zip(healthy, dead, strict=True))
    found = DiscriminatorSaturation().detect(make_record(losses, every=every))  # type: ignore[arg-type]
    assert found.status == "present"
    assert DiscriminatorSaturation().detect(make_record(healthy, every=every)).status == "absent"


def test_each_discriminator_is_evaluated() -> None:
    """Of several discriminators, the failing one is named and decides."""
    healthy = make_record(simulate("hinge", 1.0), discriminators=["D_A", "D_B"])
    dead = make_record(simulate("hinge", 16.0))
    others = {name.replace("value", "value.D_B"): signal for name, signal in dead.signals.items()}
    record = Record({**healthy.signals, **others}, healthy.facts)
    found = DiscriminatorSaturation().detect(record)
    assert found.status == "present"
    assert "the discriminator D_B (D_A is absent)" in found.summary
    both = Record(
        {
            **healthy.signals,
            **{n.replace("value", "value.D_B"): s for n, s in healthy.signals.items()},
        },
        healthy.facts,
    )
    assert DiscriminatorSaturation().detect(both).status == "absent"


def rate(**qualities: Any) -> Record:
    """A record of qualities with a row every 1000 steps."""
    signals = {}
    for name, values in qualities.items():
        series = np.asarray(values, float)
        signals[f"quality/{name}/generator"] = Signal(1000 * np.arange(1, len(series) + 1), series)
    return Record(signals)


def test_risen_fid_is_a_regression() -> None:
    """An FID that ends at 1.5 times its best level or more is a regression, with its checkpoint."""
    falling = np.geomspace(200, 20, 20)
    assert QualityRegression().detect(rate(fid=falling)).status == "absent"
    found = QualityRegression().detect(rate(fid=[*falling, *np.geomspace(20, 80, 20)]))
    assert (found.status, found.kind) == ("present", "regression")
    assert found.onset is not None
    assert 20_000 < found.onset < 35_000
    assert "best" in found.summary
    spike = [*falling[:10], 900.0, *falling[10:]]
    assert QualityRegression().detect(rate(fid=spike)).status == "absent"
    assert QualityRegression().detect(rate(fid=falling[:5])).status == "inconclusive"


def test_fallen_recall_is_lost_diversity() -> None:
    """A recall that falls while precision holds is lost diversity; with precision, a regression."""
    recall = [*np.linspace(0.1, 0.6, 15), *np.linspace(0.6, 0.1, 15)]
    steady = np.full(30, 0.7)
    assert (
        QualityRegression().detect(rate(recall=recall, precision=steady)).kind == "lost_diversity"
    )
    assert QualityRegression().detect(rate(recall=recall, precision=recall)).kind == "regression"
