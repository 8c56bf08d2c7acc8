"""What instruments examine: the game at one moment.

A detector reads the signals of a run, which cost little. An instrument asks the players
themselves, once they are held still: it may train copies of them, or take their gradients apart,
and takes seconds to minutes.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor

from gandiag.models.gan import GAN

Latents: TypeAlias = "Callable[[int], Tensor]"  # (count) -> (count, ...), from torch's generators


class DescentSettings(NamedTuple):
    """Plain gradient descent in turn: rates, and steps of each player an iteration, D's first."""

    generator_rate: float
    discriminator_rate: float
    generator_steps: int = 1
    discriminator_steps: int = 1


class Batch(NamedTuple):
    """Samples that a game is asked with; as they are held fixed, its losses are functions.

    Attributes:
        real: ``(n, *shape)``; all there are where there are fewer than were asked for.
        latents: ``(m, ...)``.
        labels: those of the reals, ``(n,)``; empty for networks that take none.
        wanted: those of the fakes, ``(m,)``; likewise.
        noise: instance noise on the reals and on the fakes, as tensors or 0.
    """

    real: Tensor
    latents: Tensor
    real_labels: tuple[Tensor, ...] = ()
    fake_labels: tuple[Tensor, ...] = ()
    noise: tuple[Tensor | float, Tensor | float] = (0.0, 0.0)

    def generate_fakes(self, gan: GAN) -> Tensor:
        """What the generator makes of the latents, as D is shown it: ``(m, *shape)``."""
        made: Tensor = gan.generator(self.latents, *self.fake_labels)
        return made + self.noise[1] if isinstance(self.noise[1], Tensor) else made

    def scores(self, gan: GAN, fakes: Tensor) -> tuple[Tensor, Tensor]:
        """D's scores of the reals and of the fakes."""
        real_scores = gan.discriminator(self.real + self.noise[0], *self.real_labels)
        return real_scores, gan.discriminator(fakes, *self.fake_labels)

    def discriminator_loss(self, gan: GAN, fakes: Tensor, penalised: bool = True) -> Tensor:
        """What D minimises, with its penalty unless that is left out; 0-dim."""
        loss = gan.objective.discriminator(*self.scores(gan, fakes))
        if penalised and gan.penalty is not None:
            network, labels = gan.discriminator, self.real_labels
            told = (lambda samples: network(samples, *labels)) if labels else network
            loss = loss + gan.penalty(told, self.real + self.noise[0], fakes)
        return loss

    def generator_loss(self, gan: GAN, fakes: Tensor) -> Tensor:
        """What G minimises; 0-dim."""
        return gan.objective.generator(gan.discriminator(fakes, *self.fake_labels))


@dataclass(frozen=True)
class GameState:
    """The game at one moment, and the samples to ask it with. Nobody changes it: see `copy_gan`.

    Attributes:
        gan: both players, what they minimise, and what holds D back.
        real: ``(N, *shape)`` real samples that D may have seen, on the players' device.
        held_out: ``(M, *shape)`` others that it has not.
        latents: draws the generator's inputs.
        labels: ``(N,)`` int64 classes of `real` for a GAN with classes, else None.
        held_out_labels: ``(M,)``, those of `held_out`.
        earlier: the same players at an earlier moment, or None where there is no such.
        noise: standard deviation of the instance noise at this moment, in data units.
        descent: how both players step, where that is plain gradient descent, else None.
    """

    gan: GAN
    real: Tensor
    held_out: Tensor
    latents: Latents
    labels: Tensor | None = None
    held_out_labels: Tensor | None = None
    earlier: GAN | None = None
    noise: float = 0.0
    descent: DescentSettings | None = None

    def copy_networks(self, dtype: torch.dtype | None = None) -> GAN:
        """A copy of the game for an instrument to do with as it likes, in its own `dtype` if None.

        The networks stay in the mode, training or evaluation, that they are in.
        """
        return copy_gan(self.gan, dtype)

    def draw_batch(
        self,
        size: int,
        seed: int,
        held_out: bool = False,
        dtype: torch.dtype | None = None,
    ) -> Batch:
        """Draw `size` samples of each kind; the same seed draws the same on the same device."""
        (batch,) = self.draw_batches(size, seed, 1, held_out, dtype)
        return batch

    def draw_batches(
        self,
        size: int,
        seed: int,
        count: int,
        held_out: bool = False,
        dtype: torch.dtype | None = None,
    ) -> tuple[Batch, ...]:
        """Draw `count` batches whose reals are disjoint, as far as there are enough of them."""
        pool, labels = (
            (self.held_out, self.held_out_labels) if held_out else (self.real, self.labels)
        )
        order = torch.randperm(len(pool), generator=torch.Generator().manual_seed(seed))
        with self.seeded(seed):
            return tuple(
                self._batch(pool, labels, _turn(order, size, index), size, dtype)
                for index in range(count)
            )

    def _batch(
        self,
        pool: Tensor,
        labels: Tensor | None,
        chosen: Tensor,
        size: int,
        dtype: torch.dtype | None,
    ) -> Batch:
        at = chosen.to(pool.device)
        real, latents = pool[at].to(dtype or pool.dtype), self.latents(size).to(pool.device)
        told: tuple[Tensor, ...] = ()
        if self.gan.classes and labels is not None:
            told = (labels[at],)
        wanted = tuple(each[torch.arange(size, device=each.device) % len(each)] for each in told)
        noise: tuple[Tensor | float, Tensor | float] = (0.0, 0.0)
        if self.noise:
            shape = (size, *pool.shape[1:])
            on_fakes = torch.randn(shape, device=pool.device, dtype=real.dtype)
            noise = (self.noise * torch.randn_like(real), self.noise * on_fakes)
        return Batch(real, latents.to(dtype or latents.dtype), told, wanted, noise)

    @contextmanager
    def seeded(self, seed: int) -> Iterator[None]:
        """Seed torch's global generators, for latents, dropout and penalties, and restore them."""
        device = self.real.device
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            torch.manual_seed(seed)
            yield


def copy_gan(gan: GAN, dtype: torch.dtype | None = None) -> GAN:
    """A copy of a game's networks, apart from the original and with weights in `dtype`."""
    generator, discriminator = copy.deepcopy(gan.generator), copy.deepcopy(gan.discriminator)
    if dtype is not None:
        generator, discriminator = generator.to(dtype), discriminator.to(dtype)
    return replace(gan, generator=generator, discriminator=discriminator, averaged=None)


def _turn(order: Tensor, size: int, index: int) -> Tensor:
    """The `index`-th part of an order, which begins anew where it is through."""
    size = min(size, len(order))
    parts = max(1, math.floor(len(order) / size))
    start = (index % parts) * size
    return order[start : start + size]
