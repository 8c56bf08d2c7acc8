"""Plays the game: two players in turn. The only file that steps an optimizer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from gandiag.gan import GAN
from gandiag.scenario import Optimizer, Training
from gandiag.snapshot import Snapshot
from gandiag.watch import Watch

__all__ = ["Stop", "train"]


class Stop(Exception):
    """Ends a run early, between two steps; whoever watches may raise it."""


@dataclass
class _Table:
    """What the players see of each other's last turn."""

    real: Tensor | None = None
    seen_fake: Tensor | None = None
    real_scores: Tensor | None = None
    latents: list[Tensor] = field(default_factory=list)


def train(gan: GAN, images: Tensor, training: Training, seed: int, watch: Watch | None) -> int:
    """Play until the generator has had its steps.

    Args:
        gan: the players; trained in place, on the device they are on.
        images: ``(N, *shape)`` real samples on the same device.
        training: steps, batch size and optimizers.
        seed: of the batches and latents, which come from streams of their own.
        watch: what observes the turns, or None. It changes nothing: the weights are the same bits.

    Returns:
        Generator steps played; fewer than asked for if somebody raised `Stop`.
    """
    device = images.device
    stream = torch.Generator(device).manual_seed(seed)
    batches = _batches(images, training.batch_size, stream)
    generator_optimizer = _optimizer(gan.generator, training.generator.optimizer)
    discriminator_optimizer = _optimizer(gan.discriminator, training.discriminator.optimizer)
    table = _Table()

    def latents() -> Tensor:
        return torch.randn(training.batch_size, gan.latent_size, device=device, generator=stream)

    def discriminator_turn(step: int) -> None:
        real = next(batches)
        with torch.no_grad():
            fake = gan.generator(latents())
        real_scores, fake_scores = gan.discriminator(real), gan.discriminator(fake)
        loss = gan.objective.discriminator(real_scores, fake_scores)
        if gan.penalty is not None:
            loss = loss + gan.penalty(gan.discriminator, real, fake)
        discriminator_optimizer.zero_grad()
        loss.backward()
        table.real, table.seen_fake, table.real_scores = real, fake, real_scores.detach()
        if watch is not None and watch.due(step, "discriminator"):
            watch.turn(
                Snapshot(
                    step=step,
                    player="discriminator",
                    generator=gan.generator,
                    discriminator=gan.discriminator,
                    real=real,
                    fake=fake,
                    seen_fake=fake,
                    real_scores=real_scores.detach(),
                    fake_scores=fake_scores.detach(),
                    loss=loss.detach(),
                )
            )
        discriminator_optimizer.step()
        if gan.constrain is not None:
            gan.constrain(gan.discriminator)

    def generator_turn(step: int) -> None:
        noise = latents()
        fake = gan.generator(noise)
        scores = gan.discriminator(fake)
        loss = gan.objective.generator(scores)
        look = watch is not None and watch.due(step, "generator")
        if look:  # keeps two gradients that autograd computes anyway
            fake.retain_grad()
            scores.retain_grad()
        generator_optimizer.zero_grad()
        loss.backward()
        if watch is not None:
            watch.made(fake, (noise,))
            if look:
                watch.turn(
                    Snapshot(
                        step=step,
                        player="generator",
                        generator=gan.generator,
                        discriminator=gan.discriminator,
                        real=table.real,
                        fake=fake.detach(),
                        seen_fake=table.seen_fake,
                        real_scores=table.real_scores,
                        fake_scores=scores.detach(),
                        score_gradient=scores.grad,
                        input_gradient=fake.grad,
                        loss=loss.detach(),
                    )
                )
        generator_optimizer.step()

    step = 0
    try:
        while step < training.steps:
            for _ in range(training.discriminator.steps):
                discriminator_turn(step)
            for _ in range(min(training.generator.steps, training.steps - step)):
                generator_turn(step)
                step += 1
                if watch is not None:
                    watch.stepped(step, gan.generator)
    except Stop:
        pass
    finally:  # an interrupted run keeps what it has measured
        if watch is not None:
            watch.flush(step)
    return step


def _batches(images: Tensor, size: int, stream: torch.Generator) -> Iterator[Tensor]:
    """Shuffled batches without end; the incomplete last one of a pass is left out."""
    size = min(size, len(images))
    while True:
        order = torch.randperm(len(images), device=images.device, generator=stream)
        for start in range(0, len(images) - size + 1, size):
            yield images[order[start : start + size]]


def _optimizer(network: nn.Module, settings: Optimizer) -> torch.optim.Optimizer:
    kinds = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD, "rmsprop": torch.optim.RMSprop}
    options = settings.model_dump(exclude={"name"})
    made: torch.optim.Optimizer = kinds[settings.name](network.parameters(), **options)
    return made
