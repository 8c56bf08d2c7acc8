"""The objectives: published values, derivatives, and the limits of float32."""

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


def generator_derivative(objective: Objective, score: float, batch: int = 1) -> float:
    """Return the sum of dL_G/dscore over a batch of equal scores."""
    batch_scores = torch.full((batch,), float(score), requires_grad=True)
    objective.generator(batch_scores).backward()
    assert batch_scores.grad is not None
    return float(batch_scores.grad.sum())


def test_losses_are_tf_gans() -> None:
    """The losses equal those of TF-GAN on the scores of its tests, up to one constant.

    TF-GAN's discriminator smooths the labels of real samples to 0.875. Its minimax generator loss
    includes the term of a real sample with the score 1.
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
    """The losses without a logarithm equal those of TF-GAN on the scores of its tests."""
    assert float(objective.generator(FAKE)) == pytest.approx(generator, rel=1e-6)
    assert float(objective.discriminator(REAL, FAKE)) == pytest.approx(discriminator, rel=1e-6)


@settings(deadline=None)
@given(scores, scores)
def test_cross_entropy_is_torchs(real: Tensor, fake: Tensor) -> None:
    """The logarithmic losses are torch's binary cross-entropy with targets 1 and 0."""
    ones, zeros = torch.ones_like, torch.zeros_like
    both = binary_cross_entropy_with_logits(real, ones(real)) + binary_cross_entropy_with_logits(
        fake, zeros(fake)
    )
    fake_as_real = binary_cross_entropy_with_logits(fake, ones(fake))
    fake_as_fake = binary_cross_entropy_with_logits(fake, zeros(fake))
    torch.testing.assert_close(NON_SATURATING.discriminator(real, fake), both)
    torch.testing.assert_close(NON_SATURATING.generator(fake), fake_as_real)
    torch.testing.assert_close(SATURATING.generator(fake), -fake_as_fake)


def test_chance_level_is_known() -> None:
    """At chance level, cross-entropy is 2 ln 2, hinge 2, least squares 1/4 and Wasserstein 0."""
    zero, half = torch.zeros(5), torch.full((5,), 0.5)
    assert float(HINGE.discriminator(zero, zero)) == 2
    assert float(LEAST_SQUARES.discriminator(half, half)) == 0.25
    assert float(NON_SATURATING.discriminator(zero, zero)) == pytest.approx(2 * math.log(2))
    assert float(WASSERSTEIN.discriminator(zero, zero)) == 0


@pytest.mark.parametrize(
    ("score", "saturating"), [(-10, -4.5e-5), (-20, -2.1e-9), (-60, -8.8e-27), (0, -0.5), (10, -1)]
)
def test_derivatives_are_known(score: float, saturating: float) -> None:
    """For rejected samples, the derivative of the minimax loss vanishes, and no other does."""
    assert generator_derivative(SATURATING, score) == pytest.approx(saturating, rel=0.03)
    assert generator_derivative(NON_SATURATING, score) == pytest.approx(
        -1 / (1 + math.exp(score)), rel=1e-3
    )
    assert generator_derivative(WASSERSTEIN, score) == generator_derivative(HINGE, score) == -1
    assert generator_derivative(LEAST_SQUARES, score) == score - 1


def test_minimax_derivative_may_be_zero() -> None:
    """At a score of -110, the minimax derivative is exactly 0 in float32."""
    assert generator_derivative(SATURATING, -110) == 0
    assert generator_derivative(NON_SATURATING, -110) == -1


@pytest.mark.parametrize("objective", OBJECTIVES.values(), ids=OBJECTIVES.keys())
def test_derivative_is_independent_of_batch_size(objective: Objective) -> None:
    """Losses are means, so the summed derivative is equal for all batch sizes."""
    assert generator_derivative(objective, 0.3, batch=64) == pytest.approx(
        generator_derivative(objective, 0.3), rel=1e-5
    )


@settings(deadline=None)
@given(scores, scores)
def test_losses_stay_finite(real: Tensor, fake: Tensor) -> None:
    """All losses are finite for scores up to 50,000 in absolute value."""
    for objective in OBJECTIVES.values():
        assert objective.discriminator(1000 * real, 1000 * fake).isfinite()
        assert objective.generator(1000 * fake).isfinite()


@settings(deadline=None)
@given(scores)
def test_probabilities_lie_in_unit_interval(given_scores: Tensor) -> None:
    """P(real) is in [0, 1], and 1/2 at the neutral score; margin losses have no P(real)."""
    for objective, middle in ((NON_SATURATING, 0), (SATURATING, 0), (LEAST_SQUARES, 0.5)):
        assert objective.probability is not None
        probability = objective.probability(given_scores)
        assert ((probability >= 0) & (probability <= 1)).all()
        assert float(objective.probability(torch.tensor([middle]))) == 0.5
    assert WASSERSTEIN.probability is None
    assert HINGE.probability is None


def test_hinge_is_flat_beyond_margin() -> None:
    """For scores beyond the margin on the correct side, D's loss and its gradient are 0."""
    real = torch.tensor([1.0, 5.0], requires_grad=True)
    loss = HINGE.discriminator(real, -real)
    loss.backward()
    assert loss == 0
    assert real.grad is not None
    assert not real.grad.any()


@settings(deadline=None)
@given(st.floats(0, 0.4), st.floats(0.05, 0.95))
def test_smoothed_optimum_is_known(by: float, share: float) -> None:
    """With p = share and q = 1 - share at a point, the best D gives P(real) = (1 - by) * share.

    This is (1 - by) p / (p + q) (Salimans et al. 2016, section 3.4). P(real) is the sigmoid of the
    score for cross-entropy, and the score itself for least squares.
    """
    best = (1 - by) * share
    logit = math.log(best / (1 - best))
    for name, score in (("non_saturating", logit), ("least_squares", best)):
        at = torch.tensor([score], dtype=torch.float64, requires_grad=True)
        loss = smooth_labels(name, by).discriminator
        # Both terms of the loss, weighted with the density of real and of generated samples here.
        real_term = loss(at, torch.zeros_like(at))
        fake_term = loss(torch.zeros_like(at), at)
        (share * real_term + (1 - share) * fake_term).backward()
        assert at.grad is not None
        assert float(at.grad) == pytest.approx(0, abs=1e-12)


def test_smoothing_by_zero_changes_nothing() -> None:
    """Smoothing by 0 returns the objective itself."""
    for name, objective in OBJECTIVES.items():
        assert smooth_labels(name, 0.0) is objective


@pytest.mark.parametrize("name", ["hinge", "wasserstein"])
def test_losses_without_targets_cannot_be_smoothed(name: str) -> None:
    """For an objective without targets, smoothing raises an error that names the objective."""
    with pytest.raises(
        ValueError, match=f"label_smoothing needs a target for real samples, and {name}"
    ):
        smooth_labels(name, 0.1)
