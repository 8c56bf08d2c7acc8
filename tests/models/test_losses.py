"""Laws of the objectives: published values, slopes, and the limits of float32."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from gandiag.models.gan import Objective
from gandiag.models.losses import (
    HINGE,
    LEAST_SQUARES,
    NON_SATURATING,
    OBJECTIVES,
    SATURATING,
    WASSERSTEIN,
    smooth_labels,
)

REAL, FAKE = torch.tensor([-5.0, 1.4, 12.5, 2.7]), torch.tensor([10.0, 4.4, -5.5, 3.6])
scores = st.lists(st.floats(-50, 50, width=32), min_size=1, max_size=20).map(torch.tensor)


def slope(objective: Objective, score: float, batch: int = 1) -> float:
    """Sum of dL_G/dscore over a batch that D scores alike."""
    given = torch.full((batch,), float(score), requires_grad=True)
    objective.generator(given).backward()
    assert given.grad is not None
    return float(given.grad.sum())


def test_losses_are_tf_gans() -> None:
    """On TF-GAN's test scores the losses are TF-GAN's, but for a constant that only it has.

    Its discriminator smooths the labels of reals to 0.875; its minimax generator also counts
    reals of score 1.
    """
    loss = smooth_labels("non_saturating", 1 / 8).discriminator(REAL, FAKE)
    assert float(loss) == pytest.approx(6.19637, abs=1e-5)
    assert float(NON_SATURATING.generator(FAKE)) == pytest.approx(1.38582, abs=1e-5)
    constant = math.log1p(math.exp(-1))
    assert float(SATURATING.generator(FAKE)) - constant == pytest.approx(-4.82408, abs=1e-5)


@pytest.mark.parametrize(
    ("objective", "generator", "discriminator"),
    [
        (WASSERSTEIN, -3.125, 0.225),
        (LEAST_SQUARES, 17.69625, 41.73375),
        (HINGE, -3.125, 6.75),
    ],
)
def test_other_losses_are_tf_gans(
    objective: Objective, generator: float, discriminator: float
) -> None:
    """On TF-GAN's test scores, the losses without a logarithm are TF-GAN's to the digit."""
    assert float(objective.generator(FAKE)) == pytest.approx(generator, rel=1e-6)
    assert float(objective.discriminator(REAL, FAKE)) == pytest.approx(discriminator, rel=1e-6)


@settings(deadline=None)
@given(scores, scores)
def test_cross_entropy_is_torchs(real: Tensor, fake: Tensor) -> None:
    """The losses are torch's cross-entropy of logits against ones and zeros."""
    ones, zeros = torch.ones_like, torch.zeros_like
    both = binary_cross_entropy_with_logits(real, ones(real)) + binary_cross_entropy_with_logits(
        fake, zeros(fake)
    )
    fooled = binary_cross_entropy_with_logits(fake, ones(fake))
    caught = binary_cross_entropy_with_logits(fake, zeros(fake))
    torch.testing.assert_close(NON_SATURATING.discriminator(real, fake), both)
    torch.testing.assert_close(NON_SATURATING.generator(fake), fooled)
    torch.testing.assert_close(SATURATING.generator(fake), -caught)


def test_chance_level_is_known() -> None:
    """A discriminator that cannot tell pays 2 ln 2, a hinge 2, least squares 1/4, a critic 0."""
    zero, half = torch.zeros(5), torch.full((5,), 0.5)
    assert float(HINGE.discriminator(zero, zero)) == 2
    assert float(LEAST_SQUARES.discriminator(half, half)) == 0.25
    assert float(NON_SATURATING.discriminator(zero, zero)) == pytest.approx(2 * math.log(2))
    assert float(WASSERSTEIN.discriminator(zero, zero)) == 0


@pytest.mark.parametrize(
    ("score", "saturating"), [(-10, -4.5e-5), (-20, -2.1e-9), (-60, -8.8e-27), (0, -0.5), (10, -1)]
)
def test_slopes_are_known(score: float, saturating: float) -> None:
    """At a sure discriminator minimax starves the generator; the others do not (rivals 5b)."""
    assert slope(SATURATING, score) == pytest.approx(saturating, rel=0.03)
    assert slope(NON_SATURATING, score) == pytest.approx(-1 / (1 + math.exp(score)), rel=1e-3)
    assert slope(WASSERSTEIN, score) == slope(HINGE, score) == -1
    assert slope(LEAST_SQUARES, score) == score - 1


def test_minimax_slope_may_be_zero() -> None:
    """At a score of -110, float32 leaves the minimax generator exactly nothing."""
    assert slope(SATURATING, -110) == 0
    assert slope(NON_SATURATING, -110) == -1


@pytest.mark.parametrize("objective", OBJECTIVES.values(), ids=OBJECTIVES.keys())
def test_slope_knows_no_batch_size(objective: Objective) -> None:
    """The summed slope of a loss that is a mean is the same for any batch."""
    assert slope(objective, 0.3, batch=64) == pytest.approx(slope(objective, 0.3), rel=1e-5)


@settings(deadline=None)
@given(scores, scores)
def test_losses_stay_finite(real: Tensor, fake: Tensor) -> None:
    """No score that a network may give makes a loss infinite, also a thousandfold."""
    for objective in OBJECTIVES.values():
        assert objective.discriminator(1000 * real, 1000 * fake).isfinite()
        assert objective.generator(1000 * fake).isfinite()


@settings(deadline=None)
@given(scores)
def test_probability_is_one(given_scores: Tensor) -> None:
    """P(real) lies in [0, 1], one half at a logit of 0 or a square's 1/2; margins have none."""
    for objective, middle in ((NON_SATURATING, 0), (SATURATING, 0), (LEAST_SQUARES, 0.5)):
        assert objective.probability is not None
        probability = objective.probability(given_scores)
        assert ((probability >= 0) & (probability <= 1)).all()
        assert float(objective.probability(torch.tensor([middle]))) == 0.5
    assert WASSERSTEIN.probability is None
    assert HINGE.probability is None


def test_hinge_forgives_beyond_margin() -> None:
    """Scores beyond 1 on the right side cost D nothing and have no slope."""
    real = torch.tensor([1.0, 5.0], requires_grad=True)
    loss = HINGE.discriminator(real, -real)
    loss.backward()
    assert loss == 0
    assert real.grad is not None
    assert not real.grad.any()


@settings(deadline=None)
@given(st.floats(0, 0.4), st.floats(0.05, 0.95))
def test_smoothed_optimum_is_known(by: float, share: float) -> None:
    """With p = share and q = 1 - share at a point, the best D says (1 - by) share there.

    That is (1 - by) p / (p + q) (Salimans et al. 2016, section 3.4); it is a logit's reading under
    cross-entropy, and the score itself under least squares.
    """
    best = (1 - by) * share
    logit = math.log(best / (1 - best))
    for name, score in (("non_saturating", logit), ("least_squares", best)):
        at = torch.tensor([score], dtype=torch.float64, requires_grad=True)
        loss = smooth_labels(name, by).discriminator
        # the loss's two terms, each weighted with the mass of its kind at this point
        real_term = loss(at, torch.zeros_like(at))
        fake_term = loss(torch.zeros_like(at), at)
        (share * real_term + (1 - share) * fake_term).backward()
        assert at.grad is not None
        assert float(at.grad) == pytest.approx(0, abs=1e-12)


def test_no_smoothing_is_plain() -> None:
    """Smoothing by 0 gives every objective as it is."""
    for name, objective in OBJECTIVES.items():
        assert smooth_labels(name, 0.0) is objective


@pytest.mark.parametrize("name", ["hinge", "wasserstein"])
def test_margins_cannot_be_smoothed(name: str) -> None:
    """An objective without targets refuses to be smoothed, in words that name it."""
    with pytest.raises(ValueError, match=f"label_smoothing needs a target for reals, and {name}"):
        smooth_labels(name, 0.1)
