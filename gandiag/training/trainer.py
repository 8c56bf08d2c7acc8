"""Plays the game: two players in turn. The only file that steps an optimizer."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from gandiag.models.gan import GAN
from gandiag.monitoring.forward_pass import ForwardPass
from gandiag.monitoring.side_effects import without_side_effects
from gandiag.monitoring.snapshot import NetworkName, Snapshot
from gandiag.monitoring.watch import Watch
from gandiag.scenario.training_settings import Optimizer, PlayerTraining, Training
from gandiag.training.batches import BatchSampler


class StopTraining(Exception):
    """Ends a run early, between two steps; whoever watches may raise it."""


def train(
    gan: GAN,
    samples: Tensor,
    training: Training,
    seed: int,
    watch: Watch | None,
    labels: Tensor | None = None,
) -> int:
    """Play until the generator has had its steps.

    Args:
        gan: the players; trained in place, on the device they are on.
        samples: ``(N, *shape)`` real samples on the same device.
        training: steps, batch size, optimizers and what else the loop does.
        seed: of the batches, latents and noise, which come from a stream of their own.
        watch: what observes the turns, or None. It changes nothing: the weights are the same bits.
        labels: ``(N,)`` int64 on the same device, for a GAN with classes.

    Returns:
        Generator steps played; fewer than asked for if somebody raised `StopTraining`.

    Raises:
        ValueError: the GAN has classes, and there are no labels.
    """
    if gan.classes and labels is None:
        raise ValueError("a GAN with classes is trained on samples with labels")
    gan = add_averaged_generator(gan, training)
    draws = BatchSampler(samples, labels if gan.classes else None, training, seed)
    game = _Trainer(gan, draws, training, watch)
    step = 0
    try:
        while step < training.steps:
            for _ in range(training.discriminator.steps):
                game.discriminator_step(step)
            for _ in range(min(training.generator.steps, training.steps - step)):
                game.generator_step(step)
                step += 1
                if watch is not None:
                    watch.after_generator_step(step, gan.evaluated_generator)
    except StopTraining:
        pass
    finally:  # an interrupted run keeps what it has measured
        if watch is not None:
            with suppress(StopTraining):
                watch.flush(step)
    return step


def train_network(
    network: nn.Module,
    loss: Callable[[], Tensor],
    optimizer: Optimizer,
    steps: int,
    constrain: Callable[[nn.Module], None] | None = None,
) -> Iterator[int]:
    """One player alone, whatever the other is; yields the number of steps taken after each.

    Args:
        network: trained in place.
        loss: gives what it minimises, 0-dim, anew for each step.
        optimizer: of this player.
        steps: how many at most.
        constrain: called with the network after each step, as in a `GAN`.
    """
    made = _optimizer(network, optimizer)
    for step in range(1, steps + 1):
        found = loss()
        made.zero_grad()
        torch.autograd.backward(found)
        made.step()
        if constrain is not None:
            constrain(network)
        yield step


def add_averaged_generator(gan: GAN, training: Training) -> GAN:
    """The GAN with a running average of its generator, where the training keeps one.

    After each generator step ``average = decay * average + (1 - decay) * weights``, begun with the
    weights after the first (Karras et al. 2018, appendix A.1); buffers are copied.
    """
    if not training.averaging or gan.averaged is not None:
        return gan
    rule = get_ema_multi_avg_fn(training.averaging)  # type: ignore[no-untyped-call]
    return replace(gan, averaged=AveragedModel(gan.generator, multi_avg_fn=rule))


class _Trainer:
    """The two turns, and what one player's turn leaves for the other's."""

    def __init__(
        self, gan: GAN, draws: BatchSampler, training: Training, watch: Watch | None
    ) -> None:
        self.gan, self.draws, self.training, self.watch = gan, draws, training, watch
        self.generator_optimizer = _optimizer(gan.generator, training.generator.optimizer)
        self.discriminator_optimizer = _optimizer(
            gan.discriminator, training.discriminator.optimizer
        )
        self.real: Tensor | None = None
        self.score_real: Callable[[], Tensor] | None = None
        self.score_fake: Callable[[], Tensor] | None = None
        self.real_scores: Tensor | None = None

    def discriminator_step(self, step: int) -> None:
        gan, draws = self.gan, self.draws
        real, labels = draws.next_real_batch()
        latents = draws.sample_latents(gan.latent_size)
        wanted = tuple(_filled(label, len(latents)) for label in labels)  # the real batch's
        with torch.no_grad():
            fake = gan.generator(latents, *wanted)
        seen_real, seen_fake = draws.add_noise(real, step), draws.add_noise(fake, step)
        score_real = functools.partial(gan.discriminator, seen_real, *labels)
        score_fake = functools.partial(gan.discriminator, seen_fake, *wanted)
        real_scores, fake_scores = score_real(), score_fake()
        loss = gan.objective.discriminator(real_scores, fake_scores)
        if gan.penalty is not None:
            loss = loss + gan.penalty(_told(gan.discriminator, labels), seen_real, seen_fake)
        self.discriminator_optimizer.zero_grad()
        torch.autograd.backward(loss)
        self.real, self.real_scores = real, real_scores.detach()
        self.score_real, self.score_fake = score_real, score_fake
        if self.watch is not None and self.watch.is_due(step, "discriminator"):
            self.watch.observe(self._snapshot(step, "discriminator", fake, fake_scores, loss))
        self._pace(self.discriminator_optimizer, self.training.discriminator, step)
        self.discriminator_optimizer.step()
        if gan.constrain is not None:
            gan.constrain(gan.discriminator)

    def generator_step(self, step: int) -> None:
        gan, draws = self.gan, self.draws
        latents, labels = draws.sample_latents(gan.latent_size), draws.sample_labels()
        fake = gan.generator(latents, *labels)
        scores = gan.discriminator(draws.add_noise(fake, step), *labels)
        loss = gan.objective.generator(scores)
        looked_at = self.watch is not None and self.watch.is_due(step, "generator")
        if looked_at:  # keeps two gradients that autograd computes anyway
            fake.retain_grad()
            scores.retain_grad()
        self.generator_optimizer.zero_grad()
        torch.autograd.backward(loss)
        if self.watch is not None:
            self.watch.add_batch(self._judged(fake, latents, labels), latents, *labels)
            if looked_at:
                self.watch.observe(self._snapshot(step, "generator", fake, scores, loss))
        self._pace(self.generator_optimizer, self.training.generator, step)
        self.generator_optimizer.step()
        if gan.averaged is not None:
            gan.averaged.update_parameters(gan.generator)

    def _judged(self, fake: Tensor, latents: Tensor, labels: tuple[Tensor, ...]) -> Tensor:
        """The fakes to judge by: the averaged generator's where there is one, of these latents."""
        if self.gan.averaged is None:
            return fake
        with without_side_effects(self.gan.averaged):
            made: Tensor = self.gan.averaged(latents, *labels)
        return made

    def _pace(self, optimizer: torch.optim.Optimizer, player: PlayerTraining, step: int) -> None:
        left = compute_learning_rate_factor(self.training, step)
        for group in optimizer.param_groups:
            group["lr"] = player.optimizer.lr * left

    def _snapshot(
        self, step: int, player: NetworkName, fake: Tensor, scores: Tensor, loss: Tensor
    ) -> Snapshot:
        generators, again = player == "generator", self.score_real
        return Snapshot(
            step=step,
            network_name=player,
            generator=self.gan.generator,
            discriminator=self.gan.discriminator,
            evaluated_generator=self.gan.averaged,
            real=self.real,
            fake=fake.detach(),
            real_pass=None if again is None else ForwardPass(self.gan.discriminator, again),
            score_fake=self.score_fake,
            real_scores=self.real_scores,
            fake_scores=scores.detach(),
            score_gradient=scores.grad if generators else None,
            input_gradient=fake.grad if generators else None,
            loss=loss.detach(),
        )


def _filled(labels: Tensor, size: int) -> Tensor:
    """Labels of a batch, repeated where it is smaller than `size`, as with few data."""
    return labels[torch.arange(size, device=labels.device) % len(labels)]


def _told(discriminator: nn.Module, labels: tuple[Tensor, ...]) -> Callable[[Tensor], Tensor]:
    """Scores of samples alone, by a discriminator that knows their labels."""
    return (lambda samples: discriminator(samples, *labels)) if labels else discriminator


def compute_learning_rate_factor(training: Training, step: int) -> float:
    """Share of the learning rates at a step; the last step still has one of its own."""
    start = training.decay_from * training.steps
    return 1.0 if step < start else (training.steps - step) / (training.steps - start)


def _optimizer(network: nn.Module, settings: Optimizer) -> torch.optim.Optimizer:
    kinds = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD, "rmsprop": torch.optim.RMSprop}
    options = settings.model_dump(exclude={"name"})
    made: torch.optim.Optimizer = kinds[settings.name](network.parameters(), **options)
    return made
