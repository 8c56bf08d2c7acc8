"""Laws of the objectives: published values, slopes, and the limits of float32."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from gandiag.gan import Objective
from gandiag.objectives import CROSS_ENTROPY, NON_SATURATING, SATURATING, WASSERSTEIN

REAL, FAKE = torch.tensor([-5.0, 1.4, 12.5, 2.7]), torch.tensor([10.0, 4.4, -5.5, 3.6])
scores = st.lists(st.floats(-50, 50, width=32), min_size=1, max_size=20).map(torch.tensor)


def slope(objective: Objective, score: float, batch: int = 1) -> float:
    """Sum of dL_G/dscore over a batch that D scores alike."""
    given = torch.full((batch,), float(score), requires_grad=True)
    objective.generator(given).backward()
    assert given.grad is not None
    return float(given.grad.sum())


def test_losses_are_tf_gans() -> None:
    """On TF-GAN's test scores the losses are TF-GAN's, but for two terms that only it has.

    Its discriminator smooths the labels of reals to 0.875, which adds an eighth of their mean
    score; its minimax generator also counts reals of score 1, a constant.
    """
    smoothed = NON_SATURATING.discriminator(REAL, FAKE) + REAL.mean() / 8
    assert float(smoothed) == pytest.approx(6.19637, abs=1e-5)
    assert float(NON_SATURATING.generator(FAKE)) == pytest.approx(1.38582, abs=1e-5)
    constant = math.log1p(math.exp(-1))
    assert float(SATURATING.generator(FAKE)) - constant == pytest.approx(-4.82408, abs=1e-5)


def test_critic_losses_are_tf_gans() -> None:
    """On TF-GAN's test scores the critic's losses are TF-GAN's."""
    assert float(WASSERSTEIN.generator(FAKE)) == pytest.approx(-3.125)
    assert float(WASSERSTEIN.discriminator(REAL, FAKE)) == pytest.approx(0.225)


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
    """A discriminator that cannot tell pays 2 ln 2, and its critic 0."""
    zero = torch.zeros(5)
    assert float(NON_SATURATING.discriminator(zero, zero)) == pytest.approx(2 * math.log(2))
    assert float(WASSERSTEIN.discriminator(zero, zero)) == 0


@pytest.mark.parametrize(
    ("score", "saturating"), [(-10, -4.5e-5), (-20, -2.1e-9), (-60, -8.8e-27), (0, -0.5), (10, -1)]
)
def test_slopes_are_known(score: float, saturating: float) -> None:
    """At a sure discriminator minimax starves the generator; the others do not (rivals 5b)."""
    assert slope(SATURATING, score) == pytest.approx(saturating, rel=0.03)
    assert slope(NON_SATURATING, score) == pytest.approx(-1 / (1 + math.exp(score)), rel=1e-3)
    assert slope(WASSERSTEIN, score) == -1


def test_minimax_slope_may_be_zero() -> None:
    """At a score of -110, float32 leaves the minimax generator exactly nothing."""
    assert slope(SATURATING, -110) == 0
    assert slope(NON_SATURATING, -110) == -1


@pytest.mark.parametrize("objective", [NON_SATURATING, SATURATING, WASSERSTEIN])
def test_slope_knows_no_batch_size(objective: Objective) -> None:
    """The summed slope of a loss that is a mean is the same for any batch."""
    assert slope(objective, 0.3, batch=64) == pytest.approx(slope(objective, 0.3), rel=1e-5)


@settings(deadline=None)
@given(scores, scores)
def test_losses_stay_finite(real: Tensor, fake: Tensor) -> None:
    """No score that a network may give makes a loss infinite, also a thousandfold."""
    for objective in (*CROSS_ENTROPY.values(), WASSERSTEIN):
        assert objective.discriminator(1000 * real, 1000 * fake).isfinite()
        assert objective.generator(1000 * fake).isfinite()


@settings(deadline=None)
@given(scores)
def test_probability_is_one(given_scores: Tensor) -> None:
    """P(real) lies in [0, 1] and is one half at a score of 0; a critic has none."""
    for objective in CROSS_ENTROPY.values():
        assert objective.probability is not None
        probability = objective.probability(given_scores)
        assert ((probability >= 0) & (probability <= 1)).all()
        assert float(objective.probability(torch.zeros(1))) == 0.5
    assert WASSERSTEIN.probability is None
