"""Subjects whose answers can be worked out by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from gandiag.datasets.data import Data
from gandiag.examination.game_state import GameState
from gandiag.models.gan import GAN
from gandiag.models.variants.dirac import Dirac
from gandiag.models.variants.vanilla import Vanilla


def normal_latents(size: int) -> Callable[[int], Tensor]:
    """Draws latents of so many entries."""
    return lambda count: torch.randn(count, size)


def dirac_game(shift: float = 0.0, weight: float = 0.0, sd: float = 0.0, **options: Any) -> GAN:
    """The Dirac-GAN with both numbers set."""
    gan = Dirac(sd=sd, **options).build((1,))
    (generators,), (discriminators,) = gan.generator.parameters(), gan.discriminator.parameters()
    with torch.no_grad():
        generators.fill_(shift)
        discriminators.fill_(weight)
    return gan


@pytest.fixture
def dirac() -> Callable[..., GameState]:
    """The Dirac-GAN against data at 0, or at the points given: ``dirac(1.0, 0.5, r1=0.3)``."""

    def make(
        shift: float = 0.0,
        weight: float = 0.0,
        points: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0),
        earlier: tuple[float, float] | None = None,
        **options: Any,
    ) -> GameState:
        real = torch.tensor(points)[:, None]
        before = dirac_game(*earlier, **options) if earlier else None
        game = dirac_game(shift, weight, **options)
        return GameState(game, real, real, normal_latents(1), earlier=before)

    return make


@pytest.fixture
def ring_game(ring: Data) -> Callable[..., GameState]:
    """Small untrained players on the ring of eight modes."""

    def make(**options: Any) -> GameState:
        with torch.random.fork_rng([]):
            torch.manual_seed(0)
            gan = Vanilla(width=8, latent_size=4, **options).build((2,))
        return GameState(gan, ring.train, ring.held_out, normal_latents(4))

    return make


def unheard(share: float) -> None:
    """Progress that nobody looks at."""
    assert 0 <= share <= 1
