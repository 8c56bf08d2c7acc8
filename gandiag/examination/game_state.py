"""The state of a two-player game at one step: what an instrument examines.

A detector reads signals, which are cheap to measure during a run. An instrument examines the frozen
networks themselves: it trains copies of them or differentiates their gradients, and takes seconds
to minutes.
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

#: ``count -> (count, ...)`` latents. They are drawn from torch's global generators, so that
#: `GameState.seeded` makes them reproducible.
Latents: TypeAlias = "Callable[[int], Tensor]"


class DescentSettings(NamedTuple):
    """Plain gradient descent of both networks in alternation, the discriminator first.

    Attributes:
        generator_rate: learning rate of the generator.
        discriminator_rate: learning rate of the discriminator.
        generator_steps: generator steps of one iteration.
        discriminator_steps: discriminator steps of one iteration.
    """

    generator_rate: float
    discriminator_rate: float
    generator_steps: int = 1
    discriminator_steps: int = 1


class Batch(NamedTuple):
    """Fixed samples, on which both losses are deterministic functions of the weights.

    Attributes:
        real: ``(n, *shape)`` real samples.
        latents: ``(m, ...)`` inputs of the generator.
        real_labels: one tensor ``(n,)`` of int64 labels; empty for networks without labels.
        fake_labels: one tensor ``(m,)`` of int64 labels; empty for networks without labels.
        noise: instance noise that is added to the real and to the generated samples, each a tensor
            or 0.0.
    """

    real: Tensor
    latents: Tensor
    real_labels: tuple[Tensor, ...] = ()
    fake_labels: tuple[Tensor, ...] = ()
    noise: tuple[Tensor | float, Tensor | float] = (0.0, 0.0)

    def generate_fakes(self, gan: GAN) -> Tensor:
        """Return generated samples ``(m, *shape)`` with their instance noise."""
        fakes: Tensor = gan.generator(self.latents, *self.fake_labels)
        return fakes + self.noise[1] if isinstance(self.noise[1], Tensor) else fakes

    def scores(self, gan: GAN, fakes: Tensor) -> tuple[Tensor, Tensor]:
        """Return the discriminator's scores of the real and of the generated samples."""
        real_scores = gan.discriminator(self.real + self.noise[0], *self.real_labels)
        return real_scores, gan.discriminator(fakes, *self.fake_labels)

    def discriminator_loss(self, gan: GAN, fakes: Tensor, penalised: bool = True) -> Tensor:
        """Return the 0-dim loss of the discriminator, with or without its penalty."""
        loss = gan.objective.discriminator(*self.scores(gan, fakes))
        if penalised and gan.penalty is not None:
            network, labels = gan.discriminator, self.real_labels
            # A penalty passes samples alone, so the labels are bound here.
            score = (lambda samples: network(samples, *labels)) if labels else network
            loss = loss + gan.penalty(score, self.real + self.noise[0], fakes)
        return loss

    def generator_loss(self, gan: GAN, fakes: Tensor) -> Tensor:
        """Return the 0-dim loss of the generator."""
        return gan.objective.generator(gan.discriminator(fakes, *self.fake_labels))


@dataclass(frozen=True)
class GameState:
    """Both networks at one step, with samples to examine them on.

    An instrument must not change the networks; `copy_networks` returns copies.

    Attributes:
        gan: both networks, their losses, and the discriminator's penalty and constraint.
        real: ``(N, *shape)`` real samples that the discriminator may have been trained on, on the
            device of the networks.
        held_out: ``(M, *shape)`` real samples that were not used for training.
        latents: draws the generator's inputs.
        labels: ``(N,)`` int64 classes of `real`; None for networks without labels.
        held_out_labels: ``(M,)`` int64 classes of `held_out`, or None.
        earlier: the networks at an earlier step, or None.
        noise: standard deviation of the instance noise at this step, in units of the data.
        descent: learning rates and steps if both networks are trained by plain gradient descent,
            else None.
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
        """Return a copy of `gan` that an instrument may change, see `copy_gan`."""
        return copy_gan(self.gan, dtype)

    def draw_batch(
        self,
        size: int,
        seed: int,
        held_out: bool = False,
        dtype: torch.dtype | None = None,
    ) -> Batch:
        """Draw one batch, see `draw_batches`."""
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
        """Draw batches of real samples, latents and instance noise.

        No real sample occurs in two batches, as long as there are ``size * count`` real samples.

        Args:
            size: number of real and of generated samples of a batch. A batch has fewer real samples
                if there are fewer in all.
            seed: the same seed gives the same batches on the same device.
            count: number of batches.
            held_out: whether real samples are taken from `held_out` instead of `real`.
            dtype: type of samples, latents and noise; their own type if None.
        """
        pool, labels = (
            (self.held_out, self.held_out_labels) if held_out else (self.real, self.labels)
        )
        # A generator on the CPU chooses the same real samples on every device.
        order = torch.randperm(len(pool), generator=torch.Generator().manual_seed(seed))
        with self.seeded(seed):
            return tuple(
                self._build_batch(pool, labels, _select_part(order, size, index), size, dtype)
                for index in range(count)
            )

    def _build_batch(
        self,
        pool: Tensor,
        labels: Tensor | None,
        chosen: Tensor,
        size: int,
        dtype: torch.dtype | None,
    ) -> Batch:
        indices = chosen.to(pool.device)
        real = pool[indices].to(dtype or pool.dtype)
        # A function of the caller may draw on the CPU, while the networks are on a GPU.
        latents = self.latents(size).to(pool.device)
        real_labels: tuple[Tensor, ...] = ()
        if self.gan.classes and labels is not None:
            real_labels = (labels[indices],)
        # Generated samples get the labels of the real ones, repeated if there are fewer real ones.
        fake_labels = tuple(
            each[torch.arange(size, device=each.device) % len(each)] for each in real_labels
        )
        noise: tuple[Tensor | float, Tensor | float] = (0.0, 0.0)
        if self.noise:
            shape = (size, *pool.shape[1:])
            # Drawn apart from the real noise, as a batch may have fewer real samples.
            fake_noise = torch.randn(shape, device=pool.device, dtype=real.dtype)
            noise = (self.noise * torch.randn_like(real), self.noise * fake_noise)
        return Batch(real, latents.to(dtype or latents.dtype), real_labels, fake_labels, noise)

    @contextmanager
    def seeded(self, seed: int) -> Iterator[None]:
        """Seed torch's global generators for latents, dropout and penalties; restore them after."""
        device = self.real.device
        # The device is named, as torch would otherwise save the random states of all GPUs.
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            torch.manual_seed(seed)
            yield


def copy_gan(gan: GAN, dtype: torch.dtype | None = None) -> GAN:
    """Return a copy of both networks, without the averaged generator.

    The copies stay in training or evaluation mode, as the networks are.

    Args:
        gan: the networks, which stay as they are.
        dtype: type of the copies' weights; the networks' own type if None.
    """
    generator, discriminator = copy.deepcopy(gan.generator), copy.deepcopy(gan.discriminator)
    if dtype is not None:
        generator, discriminator = generator.to(dtype), discriminator.to(dtype)
    # No average: the theory describes the weights that take the gradient steps.
    return replace(gan, generator=generator, discriminator=discriminator, averaged=None)


def _select_part(order: Tensor, size: int, index: int) -> Tensor:
    """Return the `index`-th part of `order`; after the last part comes the first one again."""
    size = min(size, len(order))
    parts = max(1, math.floor(len(order) / size))
    start = (index % parts) * size
    return order[start : start + size]
