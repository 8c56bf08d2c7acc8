"""Laws of the Dirac-GAN: what Mescheder et al. 2018 work out by hand for two numbers."""

from __future__ import annotations

import math

import pytest
import torch

from gandiag.models.gan import GAN
from gandiag.models.variants.dirac import Dirac
from gandiag.scenario.schema import Training
from gandiag.training.trainer import train

STEP = 0.2  # of plain gradient descent


def played(steps: int, **options: object) -> list[tuple[float, float]]:
    """Shift and weight after each of the generator's steps, beginning with those at the start."""
    torch.manual_seed(0)
    gan = Dirac(sd=0.0, **options).build((1,))  # type: ignore[arg-type]
    way = [weights(gan)]
    plain = {"optimizer": {"name": "sgd", "lr": STEP}}
    once = Training.model_validate(
        {"steps": 1, "batch_size": 2, "generator": plain, "discriminator": plain}
    )
    for _ in range(steps):
        train(gan, torch.zeros(4, 1), once, 0, None)
        way.append(weights(gan))
    return way


def weights(gan: GAN) -> tuple[float, float]:
    """The generator's number and the discriminator's."""
    (shift,), (weight,) = gan.generator.parameters(), gan.discriminator.parameters()
    return shift.item(), weight.item()


def sigmoid(score: float) -> float:
    """1 / (1 + exp(-score))."""
    return 1 / (1 + math.exp(-score))


def test_critic_turns_with_known_period() -> None:
    """With a linear critic, alternating steps are the matrix of the bilinear game."""
    way = played(40, objective="wasserstein")
    shift, weight = way[0]
    for found in way[1:]:
        weight -= STEP * shift
        shift += STEP * weight
        assert found == pytest.approx((shift, weight), abs=1e-5)


def test_critic_keeps_its_ellipse() -> None:
    """That matrix keeps ``a^2 + b^2 - h a b``: the game neither converges nor blows up."""
    kept = [a * a + b * b - STEP * a * b for a, b in played(60, objective="wasserstein")]
    assert kept == pytest.approx([kept[0]] * len(kept), rel=1e-4)


def test_minimax_steps_are_sigmoids() -> None:
    """Under the minimax objective each step is a sigmoid times the other's number."""
    way = played(40, objective="saturating")
    shift, weight = way[0]
    for found in way[1:]:
        weight -= STEP * shift * sigmoid(weight * shift)
        shift += STEP * weight * sigmoid(weight * shift)
        assert found == pytest.approx((shift, weight), abs=1e-5)


def test_r1_spirals_in() -> None:
    """The critical R1 penalty, gamma = 1, takes both numbers to the equilibrium."""
    begin, *_, end = played(120, objective="non_saturating", r1=1.0)
    assert math.hypot(*end) < 1e-3 * math.hypot(*begin)


def test_samples_have_their_width() -> None:
    """Samples lie around the shift with the standard deviation that was asked for."""
    gan = Dirac(sd=0.1).build((3,))
    latents = torch.randn(20_000, 3, generator=torch.Generator().manual_seed(0))
    samples = gan.generator(latents).detach()
    (shift,) = gan.generator.parameters()
    assert torch.allclose(samples.mean(0), shift, atol=5e-3)
    assert torch.allclose(samples.std(0), torch.full((3,), 0.1), atol=5e-3)
