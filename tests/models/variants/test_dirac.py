"""The Dirac-GAN: the results that Mescheder et al. 2018 derive for two weights."""

from __future__ import annotations

import math

import pytest
import torch

from gandiag.models.gan import GAN
from gandiag.models.variants.dirac import Dirac
from gandiag.scenario.schema import Training
from gandiag.training.trainer import train

LEARNING_RATE = 0.2  # of gradient descent


def train_path(steps: int, **options: object) -> list[tuple[float, float]]:
    """Return shift and weight at the start and after each generator step."""
    torch.manual_seed(0)
    gan = Dirac(sd=0.0, **options).build((1,))  # type: ignore[arg-type]
    path = [weights(gan)]
    sgd = {"optimizer": {"name": "sgd", "lr": LEARNING_RATE}}
    one_step = Training.model_validate(
        {"steps": 1, "batch_size": 2, "generator": sgd, "discriminator": sgd}
    )
    for _ in range(steps):
        train(gan, torch.zeros(4, 1), one_step, 0, None)
        path.append(weights(gan))
    return path


def weights(gan: GAN) -> tuple[float, float]:
    """Return the only weight of the generator and of the discriminator."""
    (shift,), (weight,) = gan.generator.parameters(), gan.discriminator.parameters()
    return shift.item(), weight.item()


def sigmoid(score: float) -> float:
    """Return 1 / (1 + exp(-score))."""
    return 1 / (1 + math.exp(-score))


def test_critic_steps_are_linear() -> None:
    """With the Wasserstein objective, each step is the linear map of the bilinear game."""
    path = train_path(40, objective="wasserstein")
    shift, weight = path[0]
    for found in path[1:]:
        weight -= LEARNING_RATE * shift
        shift += LEARNING_RATE * weight
        assert found == pytest.approx((shift, weight), abs=1e-5)


def test_critic_stays_on_an_ellipse() -> None:
    """This map keeps ``a^2 + b^2 - h a b`` (h: learning rate), so the path never converges."""
    invariant = [
        a * a + b * b - LEARNING_RATE * a * b for a, b in train_path(60, objective="wasserstein")
    ]
    assert invariant == pytest.approx([invariant[0]] * len(invariant), rel=1e-4)


def test_minimax_steps_are_sigmoids() -> None:
    """With the minimax objective, each step is a sigmoid times the other weight."""
    path = train_path(40, objective="saturating")
    shift, weight = path[0]
    for found in path[1:]:
        weight -= LEARNING_RATE * shift * sigmoid(weight * shift)
        shift += LEARNING_RATE * weight * sigmoid(weight * shift)
        assert found == pytest.approx((shift, weight), abs=1e-5)


def test_r1_converges() -> None:
    """With the critical R1 penalty, gamma = 1, both weights converge to the equilibrium."""
    start, *_, end = train_path(120, objective="non_saturating", r1=1.0)
    assert math.hypot(*end) < 1e-3 * math.hypot(*start)


def test_samples_have_standard_deviation_sd() -> None:
    """Samples have the mean `shift` and the standard deviation `sd`."""
    gan = Dirac(sd=0.1).build((3,))
    latents = torch.randn(20_000, 3, generator=torch.Generator().manual_seed(0))
    samples = gan.generator(latents).detach()
    (shift,) = gan.generator.parameters()
    assert torch.allclose(samples.mean(0), shift, atol=5e-3)
    assert torch.allclose(samples.std(0), torch.full((3,), 0.1), atol=5e-3)
