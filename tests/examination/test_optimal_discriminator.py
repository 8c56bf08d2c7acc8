"""Tests of the optimal discriminator: results of Arjovsky & Bottou 2017 on small examples."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from gandiag.examination.finding import Finding
from gandiag.examination.game_state import GameState
from gandiag.examination.instruments.optimal_discriminator import OptimalDiscriminator
from gandiag.models.gan import GAN
from gandiag.models.losses import NON_SATURATING, SATURATING
from tests.examination.conftest import ignore_progress

BuildState = Callable[..., GameState]
SHORT = OptimalDiscriminator(steps=60, every=20, rate=0.1, batch_size=4, samples=4, draws=1)


def sigmoid(score: float) -> float:
    """Return 1 / (1 + exp(-score))."""
    return 1 / (1 + math.exp(-score))


def weight_after(shift: float, weight: float, steps: int) -> float:
    """Return D's weight in the Dirac-GAN after steps of Adam; D's loss is softplus(w s)."""
    first, second, rate, betas = 0.0, 0.0, SHORT.rate, (0.5, 0.999)
    for step in range(1, steps + 1):
        gradient = shift * sigmoid(weight * shift)
        first = betas[0] * first + (1 - betas[0]) * gradient
        second = betas[1] * second + (1 - betas[1]) * gradient**2
        scale = math.sqrt(second / (1 - betas[1] ** step)) + 1e-8
        weight -= rate * first / (1 - betas[0] ** step) / scale
    return weight


@pytest.mark.parametrize("objective", ["saturating", "non_saturating"])
def test_gradient_is_diracs(dirac: BuildState, objective: str) -> None:
    """G's gradient is |w| sigmoid(w s) under minimax and |w| sigmoid(-w s) otherwise."""
    finding = SHORT.examine(dirac(1.0, 0.5, objective=objective), ignore_progress)
    sign = 1 if objective == "saturating" else -1
    expected = []
    for steps in (0, 20, 40, 60):
        weight = weight_after(1.0, 0.5, steps)
        expected.append(abs(weight) * sigmoid(sign * weight))
    assert finding.curves["step"] == [0, 20, 40, 60]
    assert finding.curves["gradient"] == pytest.approx(expected, rel=1e-4)


class Far(nn.Module):
    """A generator of points around (5, 5), with a trainable centre."""

    def __init__(self) -> None:
        super().__init__()
        self.centre = nn.Parameter(torch.full((2,), 5.0))

    def forward(self, latents: Tensor) -> Tensor:
        """``(B, 2) -> (B, 2)``."""
        return self.centre + 0.1 * latents


def disjoint(saturating: bool) -> GameState:
    """Return real points around 0, generated ones around 5, and a D that can separate them."""
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        body = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 1), nn.Flatten(0))
        real = 0.1 * torch.randn(400, 2)
    gan = GAN(Far(), body, SATURATING if saturating else NON_SATURATING, latent_size=2)
    return GameState(gan, real[:200], real[200:], lambda count: torch.randn(count, 2))


TRAINED = OptimalDiscriminator(
    steps=300, every=100, rate=0.05, batch_size=32, samples=64, draws=2, fall=1.5
)


def test_disjoint_supports_make_the_gradient_vanish(normal: Callable[..., Tensor]) -> None:
    """With disjoint supports the minimax gradient vanishes and that of -log D does not."""
    minimax, non_saturating = (
        TRAINED.examine(disjoint(saturating), ignore_progress) for saturating in (True, False)
    )
    assert minimax["auc_after"].low == non_saturating["auc_after"].low == 1
    assert minimax["fall"].low > 1.5
    assert "the less the generator learns" in minimax.summary
    assert non_saturating["fall"].high < 1.5
    assert non_saturating.summary.endswith("does not vanish.")


def test_equal_distributions_keep_the_gradient() -> None:
    """If samples and data have the same distribution, AUC is near 0.5 and nothing vanishes."""
    state = disjoint(saturating=True)
    with torch.no_grad():
        next(state.gan.generator.parameters()).zero_()
    finding = TRAINED.examine(state, ignore_progress)
    assert 0.3 < finding["auc_after"].value < 0.7
    assert finding.summary.endswith("does not vanish.")


def has_no_gradient(finding: Finding) -> bool:
    """Whether the summary states that there is no gradient."""
    return "no fall can be computed" in finding.summary and math.isnan(finding["fall"].value)


def test_zero_or_non_finite_gradient(dirac: BuildState) -> None:
    """A gradient that is 0 or not finite at the beginning has no fall."""
    assert has_no_gradient(
        SHORT.examine(dirac(500.0, -5.0, objective="saturating"), ignore_progress)
    )
    assert has_no_gradient(SHORT.examine(dirac(math.nan, 1.0), ignore_progress))
