"""Tests of the duality gap on games whose best responses are known."""

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
from tests.examination.conftest import ignore_progress

BuildState = Callable[..., GameState]


class Bounded(nn.Module):
    """A generator of one point in (-1, 1)."""

    def __init__(self, place: float) -> None:
        super().__init__()
        self.inner = nn.Parameter(torch.tensor([math.atanh(place)]))

    def forward(self, latents: Tensor) -> Tensor:
        """``(B, 1) -> (B, 1)``."""
        return torch.tanh(self.inner).expand(len(latents), 1)


def bilinear(place: float, weight: float) -> GameState:
    """Return a critic of weight w in [-1, 1] and a point x in (-1, 1), with V = -w x and data 0."""
    critic = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        critic.weight.fill_(weight)
    gan = GAN(
        Bounded(place), critic, WASSERSTEIN, latent_size=1, constrain=build_weight_clipper(1.0)
    )
    zeros = torch.zeros(64, 1)
    return GameState(gan, zeros, zeros, lambda count: torch.zeros(count, 1))


SEARCH = DualityGap(steps=200, rate=0.05, batch_size=8, batches=2)


@pytest.mark.parametrize(("place", "weight"), [(0.5, 0.3), (-0.5, 0.3), (0.6, -1.0)])
def test_bilinear_gap_is_known(place: float, weight: float) -> None:
    """The best critic reaches V = |x|, the best point V = -|w|: the gap is |x| + |w|."""
    finding = SEARCH.examine(bilinear(place, weight), ignore_progress)
    assert finding["gap"].value == pytest.approx(abs(place) + abs(weight), abs=0.02)
    assert finding["discriminator_gain"].value == pytest.approx(
        abs(place) + place * weight, abs=0.02
    )
    assert finding["generator_gain"].value == pytest.approx(abs(weight) - place * weight, abs=0.02)


def test_no_gap_at_equilibrium() -> None:
    """At the equilibrium neither network can gain, and the summary states that."""
    finding = SEARCH.examine(bilinear(0.0, 0.0), ignore_progress)
    assert finding["gap"].value == 0
    assert finding.summary.startswith("Neither network was found to gain")


class Faces(nn.Module):
    """A generator of one-hot vectors with given frequencies; a latent in [0, 1] chooses one."""

    def __init__(self, shares: list[float]) -> None:
        super().__init__()
        self.register_buffer("edges", torch.tensor(shares).cumsum(0)[:-1])
        self.gain = nn.Parameter(torch.ones(1))

    def forward(self, latents: Tensor) -> Tensor:
        """``(B, 1) -> (B, K)`` one-hot."""
        edges = self.get_buffer("edges")
        which = torch.bucketize(latents.flatten(), edges)
        return self.gain * nn.functional.one_hot(which, len(edges) + 1).float()


def test_best_discriminator_reaches_the_divergence() -> None:
    """The maximum of V over all D is 2 JSD(p, q) - 2 ln 2 (Goodfellow et al. 2014, theorem 1)."""
    p, q = torch.tensor([0.5, 0.3, 0.2]), torch.tensor([0.1, 0.3, 0.6])
    middle = (p + q) / 2
    divergence = float((p * (p / middle).log() + q * (q / middle).log()).sum()) / 2
    corners = torch.arange(3).repeat_interleave((1000 * p).round().int())
    real = nn.functional.one_hot(corners, 3).float()
    table = nn.Linear(3, 1)  # one score for each corner: the class of all discriminators
    with torch.no_grad():
        table.weight.zero_()
        table.bias.zero_()
    gan = GAN(Faces(q.tolist()), table, SATURATING, latent_size=1)
    state = GameState(gan, real, real, lambda count: (torch.arange(count)[:, None] + 0.5) / count)
    instrument = DualityGap(
        steps=300, rate=0.05, batch_size=500, batches=2
    )  # two halves of all samples
    finding = instrument.examine(state, ignore_progress)
    best = finding["value"].value + finding["discriminator_gain"].value
    assert finding["value"].value == pytest.approx(-2 * math.log(2), abs=1e-5)
    assert best == pytest.approx(2 * divergence - 2 * math.log(2), abs=2e-3)


def test_interval_contains_the_truth(dirac: BuildState) -> None:
    """V of a linear critic on noise is -w s; the interval of 2 standard errors contains it."""
    finding = DualityGap(steps=2, batch_size=32, batches=12).examine(
        dirac(0.5, 2.0, points=(0.0,) * 400, sd=1.0, objective="wasserstein"), ignore_progress
    )
    value = finding["value"]
    assert value.low < -1.0 < value.high
    assert value.high - value.low == pytest.approx(4 * 2.0 / math.sqrt(32 * 12), rel=0.6)


def test_other_objectives_are_not_applicable(dirac: BuildState) -> None:
    """Least squares penalises scores below 0, so D's loss there is not the generator's gain."""
    state = dirac(0.5, 0.5)
    gan = state.gan
    for objective, is_applicable in ((NON_SATURATING, True), (LEAST_SQUARES, False)):
        other = GameState(
            GAN(gan.generator, gan.discriminator, objective, 1),
            state.real,
            state.held_out,
            state.latents,
        )
        finding = DualityGap(steps=2, batch_size=4, batches=2).examine(other, ignore_progress)
        assert bool(finding.measures) == is_applicable
        assert finding.summary.startswith("Not applicable") != is_applicable
