"""Plays the game: two players in turn. The only file that steps an optimizer."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import suppress

import torch
from torch import Tensor, nn

from gandiag.gan import GAN
from gandiag.scenario import Optimizer, Training
from gandiag.snapshot import Player, Snapshot
from gandiag.watch import Watch

__all__ = ["Stop", "train"]


class Stop(Exception):
    """Ends a run early, between two steps; whoever watches may raise it."""


def train(gan: GAN, samples: Tensor, training: Training, seed: int, watch: Watch | None) -> int:
    """Play until the generator has had its steps.

    Args:
        gan: the players; trained in place, on the device they are on.
        samples: ``(N, *shape)`` real samples on the same device.
        training: steps, batch size and optimizers.
        seed: of the batches and latents, which come from a stream of their own.
        watch: what observes the turns, or None. It changes nothing: the weights are the same bits.

    Returns:
        Generator steps played; fewer than asked for if somebody raised `Stop`.
    """
    game = _Game(gan, samples, training, seed, watch)
    step = 0
    try:
        while step < training.steps:
            for _ in range(training.discriminator.steps):
                game.discriminator_turn(step)
            for _ in range(min(training.generator.steps, training.steps - step)):
                game.generator_turn(step)
                step += 1
                if watch is not None:
                    watch.stepped(step, gan.generator)
    except Stop:
        pass
    finally:  # an interrupted run keeps what it has measured
        if watch is not None:
            with suppress(Stop):
                watch.flush(step)
    return step


class _Game:
    """The two turns, and what one player's turn leaves for the other's."""

    def __init__(
        self, gan: GAN, samples: Tensor, training: Training, seed: int, watch: Watch | None
    ) -> None:
        self.gan, self.watch = gan, watch
        self.batch_size = training.batch_size
        self.device = samples.device
        self.stream = torch.Generator(self.device).manual_seed(seed)
        self.batches = _batches(samples, training.batch_size, self.stream)
        self.generator_optimizer = _optimizer(gan.generator, training.generator.optimizer)
        self.discriminator_optimizer = _optimizer(
            gan.discriminator, training.discriminator.optimizer
        )
        self.real: Tensor | None = None
        self.score_real: Callable[[], Tensor] | None = None
        self.score_fake: Callable[[], Tensor] | None = None
        self.real_scores: Tensor | None = None

    def discriminator_turn(self, step: int) -> None:
        gan = self.gan
        real = next(self.batches)
        with torch.no_grad():
            fake = gan.generator(self._latents())
        real_scores, fake_scores = gan.discriminator(real), gan.discriminator(fake)
        loss = gan.objective.discriminator(real_scores, fake_scores)
        if gan.penalty is not None:
            loss = loss + gan.penalty(gan.discriminator, real, fake)
        self.discriminator_optimizer.zero_grad()
        torch.autograd.backward(loss)
        self.real, self.real_scores = real, real_scores.detach()
        self.score_real = functools.partial(gan.discriminator, real)
        self.score_fake = functools.partial(gan.discriminator, fake)
        if self.watch is not None and self.watch.due(step, "discriminator"):
            self.watch.turn(self._snapshot(step, "discriminator", fake, fake_scores, loss))
        self.discriminator_optimizer.step()
        if gan.constrain is not None:
            gan.constrain(gan.discriminator)

    def generator_turn(self, step: int) -> None:
        gan = self.gan
        latents = self._latents()
        fake = gan.generator(latents)
        scores = gan.discriminator(fake)
        loss = gan.objective.generator(scores)
        looked_at = self.watch is not None and self.watch.due(step, "generator")
        if looked_at:  # keeps two gradients that autograd computes anyway
            fake.retain_grad()
            scores.retain_grad()
        self.generator_optimizer.zero_grad()
        torch.autograd.backward(loss)
        if self.watch is not None:
            self.watch.made(fake, latents)
            if looked_at:
                self.watch.turn(self._snapshot(step, "generator", fake, scores, loss))
        self.generator_optimizer.step()

    def _latents(self) -> Tensor:
        size = (self.batch_size, self.gan.latent_size)
        return torch.randn(size, device=self.device, generator=self.stream)

    def _snapshot(
        self, step: int, player: Player, fake: Tensor, scores: Tensor, loss: Tensor
    ) -> Snapshot:
        generators = player == "generator"
        return Snapshot(
            step=step,
            player=player,
            generator=self.gan.generator,
            discriminator=self.gan.discriminator,
            real=self.real,
            fake=fake.detach(),
            score_real=self.score_real,
            score_fake=self.score_fake,
            real_scores=self.real_scores,
            fake_scores=scores.detach(),
            score_gradient=scores.grad if generators else None,
            input_gradient=fake.grad if generators else None,
            loss=loss.detach(),
        )


def _batches(samples: Tensor, size: int, stream: torch.Generator) -> Iterator[Tensor]:
    """Shuffled batches without end; the incomplete last one of a pass is left out."""
    size = min(size, len(samples))
    while True:
        order = torch.randperm(len(samples), device=samples.device, generator=stream)
        for start in range(0, len(samples) - size + 1, size):
            yield samples[order[start : start + size]]


def _optimizer(network: nn.Module, settings: Optimizer) -> torch.optim.Optimizer:
    kinds = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD, "rmsprop": torch.optim.RMSprop}
    options = settings.model_dump(exclude={"name"})
    made: torch.optim.Optimizer = kinds[settings.name](network.parameters(), **options)
    return made
