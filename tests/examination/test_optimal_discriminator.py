"""Laws of the optimal-discriminator test: what Arjovsky & Bottou 2017 prove, on small games."""

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
from tests.examination.conftest import unheard

Make = Callable[..., GameState]
SHORT = OptimalDiscriminator(steps=60, every=20, rate=0.1, batch_size=4, samples=4, draws=1)


def sigmoid(score: float) -> float:
    """1 / (1 + exp(-score))."""
    return 1 / (1 + math.exp(-score))


def weight_after(shift: float, weight: float, steps: int) -> float:
    """The Dirac discriminator's number after steps of Adam by hand: D's loss is softplus(w s)."""
    first, second, rate, betas = 0.0, 0.0, SHORT.rate, (0.5, 0.999)
    for step in range(1, steps + 1):
        slope = shift * sigmoid(weight * shift)
        first = betas[0] * first + (1 - betas[0]) * slope
        second = betas[1] * second + (1 - betas[1]) * slope**2
        scale = math.sqrt(second / (1 - betas[1] ** step)) + 1e-8
        weight -= rate * first / (1 - betas[0] ** step) / scale
    return weight


@pytest.mark.parametrize("objective", ["saturating", "non_saturating"])
def test_gradient_is_diracs(dirac: Make, objective: str) -> None:
    """G's gradient is |w| sigmoid(w s) under minimax and |w| sigmoid(-w s) otherwise, at all w."""
    finding = SHORT.examine(dirac(1.0, 0.5, objective=objective), unheard)
    sign = 1 if objective == "saturating" else -1
    expected = []
    for steps in (0, 20, 40, 60):
        weight = weight_after(1.0, 0.5, steps)
        expected.append(abs(weight) * sigmoid(sign * weight))
    assert finding.curves["step"] == [0, 20, 40, 60]
    assert finding.curves["gradient"] == pytest.approx(expected, rel=1e-4)


class Far(nn.Module):
    """Makes points around 5, at a place that it may move."""

    def __init__(self) -> None:
        super().__init__()
        self.place = nn.Parameter(torch.full((2,), 5.0))

    def forward(self, latents: Tensor) -> Tensor:
        """``(B, 2) -> (B, 2)``."""
        return self.place + 0.1 * latents


def disjoint(saturating: bool) -> GameState:
    """Real points around 0, made ones around 5, and a D that can tell them as it likes."""
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        body = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 1), nn.Flatten(0))
        real = 0.1 * torch.randn(400, 2)
    game = GAN(Far(), body, SATURATING if saturating else NON_SATURATING, latent_size=2)
    return GameState(game, real[:200], real[200:], lambda count: torch.randn(count, 2))


TRAINED = OptimalDiscriminator(
    steps=300, every=100, rate=0.05, batch_size=32, samples=64, draws=2, fall=1.5
)


def test_disjoint_supports_starve(normal: Callable[..., Tensor]) -> None:
    """Where supports are apart, the minimax gradient vanishes, and -log D keeps its own."""
    dead, alive = (TRAINED.examine(disjoint(saturating), unheard) for saturating in (True, False))
    assert dead["auc_after"].low == alive["auc_after"].low == 1
    assert dead["fall"].low > 1.5
    assert "the less there is to learn" in dead.summary
    assert alive["fall"].high < 1.5
    assert alive.summary.endswith("does not vanish.")


def test_equal_distributions_stay() -> None:
    """Where samples are as the data, no discriminator ranks unseen ones; nothing vanishes."""
    subject = disjoint(saturating=True)
    with torch.no_grad():
        next(subject.gan.generator.parameters()).zero_()
    finding = TRAINED.examine(subject, unheard)
    assert 0.3 < finding["auc_after"].value < 0.7
    assert finding.summary.endswith("does not vanish.")


def no_gradient(finding: Finding) -> bool:
    """Whether it says that there is no gradient to follow."""
    return "no fall can be told" in finding.summary and math.isnan(finding["fall"].value)


def test_dead_or_blown_is_said(dirac: Make) -> None:
    """A generator whose gradient is exactly 0, or not a number, has no fall to be told."""
    assert no_gradient(SHORT.examine(dirac(500.0, -5.0, objective="saturating"), unheard))
    assert no_gradient(SHORT.examine(dirac(math.nan, 1.0), unheard))
