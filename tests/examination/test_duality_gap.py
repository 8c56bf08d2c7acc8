"""Laws of the duality gap: games whose best answers are known."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from gandiag.examination.game_state import GameState
from gandiag.examination.instruments.duality_gap import DualityGap
from gandiag.models.gan import GAN
from gandiag.models.losses import LEAST_SQUARES, NON_SATURATING, SATURATING, WASSERSTEIN
from gandiag.models.penalties import build_weight_clipper
from tests.examination.conftest import unheard

Make = Callable[..., GameState]


class Bounded(nn.Module):
    """Makes one point in (-1, 1)."""

    def __init__(self, place: float) -> None:
        super().__init__()
        self.inner = nn.Parameter(torch.tensor([math.atanh(place)]))

    def forward(self, latents: Tensor) -> Tensor:
        """``(B, 1) -> (B, 1)``."""
        return torch.tanh(self.inner).expand(len(latents), 1)


def bilinear(place: float, weight: float) -> GameState:
    """A clipped linear critic against a bounded point: V = -w x, |w| <= 1, |x| < 1, data at 0."""
    critic = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        critic.weight.fill_(weight)
    game = GAN(
        Bounded(place), critic, WASSERSTEIN, latent_size=1, constrain=build_weight_clipper(1.0)
    )
    zeros = torch.zeros(64, 1)
    return GameState(game, zeros, zeros, lambda count: torch.zeros(count, 1))


SEARCH = DualityGap(steps=200, rate=0.05, batch_size=8, batches=2)


@pytest.mark.parametrize(("place", "weight"), [(0.5, 0.3), (-0.5, 0.3), (0.6, -1.0)])
def test_bilinear_gap_is_known(place: float, weight: float) -> None:
    """The best critic gains |x|, the best point takes |w|: the gap is |x| + |w|."""
    finding = SEARCH.examine(bilinear(place, weight), unheard)
    assert finding["gap"].value == pytest.approx(abs(place) + abs(weight), abs=0.02)
    assert finding["discriminator_gain"].value == pytest.approx(
        abs(place) + place * weight, abs=0.02
    )
    assert finding["generator_gain"].value == pytest.approx(abs(weight) - place * weight, abs=0.02)


def test_no_gap_at_equilibrium() -> None:
    """At the equilibrium nobody gains anything, and it is said."""
    finding = SEARCH.examine(bilinear(0.0, 0.0), unheard)
    assert finding["gap"].value == 0
    assert finding.summary.startswith("Neither player was found to gain")


class Faces(nn.Module):
    """Makes the corners of a cube, each as often as is told: latents in [0, 1] choose one."""

    def __init__(self, shares: list[float]) -> None:
        super().__init__()
        self.register_buffer("edges", torch.tensor(shares).cumsum(0)[:-1])
        self.gain = nn.Parameter(torch.ones(1))

    def forward(self, latents: Tensor) -> Tensor:
        """``(B, 1) -> (B, K)`` one-hot."""
        edges = self.get_buffer("edges")
        which = torch.bucketize(latents.flatten(), edges)
        return self.gain * nn.functional.one_hot(which, len(edges) + 1).float()


def test_best_discriminator_knows_divergence() -> None:
    """Over all D, V comes to 2 JSD(p, q) - 2 ln 2 (Goodfellow et al. 2014, theorem 1)."""
    p, q = torch.tensor([0.5, 0.3, 0.2]), torch.tensor([0.1, 0.3, 0.6])
    middle = (p + q) / 2
    divergence = float((p * (p / middle).log() + q * (q / middle).log()).sum()) / 2
    corners = torch.arange(3).repeat_interleave((1000 * p).round().int())
    real = nn.functional.one_hot(corners, 3).float()
    table = nn.Linear(3, 1)  # a score for each corner: every discriminator there is
    with torch.no_grad():
        table.weight.zero_()
        table.bias.zero_()
    game = GAN(Faces(q.tolist()), table, SATURATING, latent_size=1)
    subject = GameState(
        game, real, real, lambda count: (torch.arange(count)[:, None] + 0.5) / count
    )
    asked = DualityGap(steps=300, rate=0.05, batch_size=500, batches=2)  # two halves: all of p
    finding = asked.examine(subject, unheard)
    best = finding["value"].value + finding["discriminator_gain"].value
    assert finding["value"].value == pytest.approx(-2 * math.log(2), abs=1e-5)
    assert best == pytest.approx(2 * divergence - 2 * math.log(2), abs=2e-3)


def test_errors_hold_the_truth(dirac: Make) -> None:
    """V of a linear critic on noise is -w s; twice the standard error holds it."""
    finding = DualityGap(steps=2, batch_size=32, batches=12).examine(
        dirac(0.5, 2.0, points=(0.0,) * 400, sd=1.0, objective="wasserstein"), unheard
    )
    value = finding["value"]
    assert value.low < -1.0 < value.high
    assert value.high - value.low == pytest.approx(4 * 2.0 / math.sqrt(32 * 12), rel=0.6)


def test_only_opposed_games_have_one(dirac: Make) -> None:
    """Least squares punishes scores below 0: what D loses there is nothing that G wants."""
    subject = dirac(0.5, 0.5)
    game = subject.gan
    for objective, asked in ((NON_SATURATING, True), (LEAST_SQUARES, False)):
        other = GameState(
            GAN(game.generator, game.discriminator, objective, 1),
            subject.real,
            subject.held_out,
            subject.latents,
        )
        finding = DualityGap(steps=2, batch_size=4, batches=2).examine(other, unheard)
        assert bool(finding.measures) == asked
        assert finding.summary.startswith("Not asked") != asked
