"""Game states with known results, and short options for all instruments."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor

from gandiag.datasets.data import Data
from gandiag.examination.game_state import GameState
from gandiag.models.gan import GAN
from gandiag.models.variants.dirac import Dirac
from gandiag.models.variants.vanilla import Vanilla

QUICK: Mapping[str, Mapping[str, Any]] = {
    "optimal_discriminator": {"steps": 4, "every": 2, "batch_size": 8, "samples": 16, "draws": 2},
    "jacobian": {"count": 1, "samples": 16, "draws": 2},
    "update_map": {
        "generator_rate": 0.1, "discriminator_rate": 0.1, "count": 1, "samples": 16, "draws": 2,
    },
    "path_angle": {"points": 5, "samples": 16, "draws": 2},
    "duality_gap": {"steps": 4, "batch_size": 8, "batches": 2},
}  # fmt: skip
SCENARIO: dict[str, Any] = {
    "name": "tiny",
    "data": {"ring": {"samples": 400, "held_out": 300}},
    "variant": {"vanilla": {"width": 8, "latent_size": 2}},
    "training": {"steps": 20, "batch_size": 32},
    "reporters": [],
    "device": "cpu",
}


@pytest.fixture(autouse=True)
def _keep_random_state() -> Iterator[None]:
    with torch.random.fork_rng([]):
        yield


def normal_latents(size: int) -> Callable[[int], Tensor]:
    """Return a function that draws latents of this size from N(0, I)."""
    return lambda count: torch.randn(count, size)


def build_dirac(shift: float = 0.0, weight: float = 0.0, sd: float = 0.0, **options: Any) -> GAN:
    """Return the Dirac-GAN with a given point of the generator and weight of the critic."""
    gan = Dirac(sd=sd, **options).build((1,))
    (generators,), (discriminators,) = gan.generator.parameters(), gan.discriminator.parameters()
    with torch.no_grad():
        generators.fill_(shift)
        discriminators.fill_(weight)
    return gan


@pytest.fixture
def dirac() -> Callable[..., GameState]:
    """Build states of the Dirac-GAN with data at 0 or at `points`: ``dirac(1.0, 0.5, r1=0.3)``."""

    def build(
        shift: float = 0.0,
        weight: float = 0.0,
        points: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0),
        earlier: tuple[float, float] | None = None,
        **options: Any,
    ) -> GameState:
        real = torch.tensor(points)[:, None]
        earlier_gan = build_dirac(*earlier, **options) if earlier else None
        gan = build_dirac(shift, weight, **options)
        return GameState(gan, real, real, normal_latents(1), earlier=earlier_gan)

    return build


@pytest.fixture
def ring_state(ring: Data) -> Callable[..., GameState]:
    """Build states of small untrained networks on the ring of eight modes."""

    def build(**options: Any) -> GameState:
        with torch.random.fork_rng([]):
            torch.manual_seed(0)
            gan = Vanilla(width=8, latent_size=4, **options).build((2,))
        return GameState(gan, ring.train, ring.held_out, normal_latents(4))

    return build


def ignore_progress(share: float) -> None:
    """Check a reported share of the work and ignore it."""
    assert 0 <= share <= 1


def build_state(gan: GAN, normal: Callable[..., Tensor]) -> GameState:
    """Return a state of networks for points, with earlier networks of other weights."""
    earlier = GAN(copy.deepcopy(gan.generator), copy.deepcopy(gan.discriminator), gan.objective, 4)
    with torch.no_grad():
        for weight in earlier.generator.parameters():
            weight.add_(0.1)
    real, held_out = normal((80, 2)), normal((60, 2), seed=1)
    return GameState(gan, real, held_out, normal_latents(4), earlier=earlier)


def copy_full_state(gan: GAN) -> dict[str, Tensor]:
    """Return copies of everything that an instrument might change, with torch's random state."""
    copies = {"random": torch.get_rng_state()}
    for prefix, network in (("G", gan.generator), ("D", gan.discriminator)):
        copies |= {f"{prefix}.{name}": t.clone() for name, t in network.state_dict().items()}
        modes = [module.training for module in network.modules()]
        trainable = [weight.requires_grad for weight in network.parameters()]
        has_grad = [weight.grad is not None for weight in network.parameters()]
        copies |= {f"{prefix}.flags": torch.tensor(modes + trainable + has_grad)}
    return copies
