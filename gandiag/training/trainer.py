"""The training loop of a GAN: discriminator steps and generator steps alternate.

Read `Trainer.run` first, then `Trainer.discriminator_step` and `Trainer.generator_step`. Their
lines stand in the order in which they run. No other module of gandiag steps an optimizer.

Two things are fixed, because the tests compare trained weights bit by bit: the order of the random
draws, and the rule that a watch changes neither weights nor random numbers.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from gandiag.models.gan import GAN
from gandiag.monitoring.forward_pass import ForwardPass
from gandiag.monitoring.side_effects import without_side_effects
from gandiag.monitoring.snapshot import NetworkName, Snapshot
from gandiag.monitoring.watch import Watch
from gandiag.scenario.training_settings import Optimizer, Training
from gandiag.training.batches import BatchSampler
from gandiag.training.optimizers import build_optimizer, compute_learning_rate_factor


class StopTraining(Exception):
    """Ends a training run early, between two steps. A callback of the watch may raise it."""


def train(
    gan: GAN,
    samples: Tensor,
    training: Training,
    seed: int,
    watch: Watch | None,
    labels: Tensor | None = None,
) -> int:
    """Train a GAN until the generator has taken ``training.steps`` steps, see `Trainer`.

    Returns:
        Number of completed generator steps. The number is smaller than ``training.steps`` if
        `StopTraining` was raised.
    """
    return Trainer(gan, samples, training, seed, watch, labels).run()


def add_averaged_generator(gan: GAN, training: Training) -> GAN:
    """Return the GAN with a running average of the generator's weights, if `training` has one.

    After each generator step ``average = decay * average + (1 - decay) * weights``. The average
    starts with the weights after the first step (Karras et al. 2018, appendix A.1). Buffers, such
    as the statistics of BatchNorm, are copied.
    """
    # The pipeline calls this function before train() does, because it needs the average itself.
    if not training.averaging or gan.averaged is not None:
        return gan
    update_average = get_ema_multi_avg_fn(training.averaging)  # type: ignore[no-untyped-call]
    return replace(gan, averaged=AveragedModel(gan.generator, multi_avg_fn=update_average))


class DiscriminatorBatches(NamedTuple):
    """The batches of a discriminator step; ``B`` samples of shape ``shape`` each.

    Attributes:
        real: real samples without instance noise.
        real_scores: ``(B,)`` the discriminator's scores of the real samples in its step.
        noisy_real: the real samples as the discriminator scored them.
        noisy_fake: the generated samples as the discriminator scored them.
        real_labels: labels of the real samples; empty for a GAN without classes.
        fake_labels: labels of the generated samples, likewise.
    """

    real: Tensor
    real_scores: Tensor
    noisy_real: Tensor
    noisy_fake: Tensor
    real_labels: tuple[Tensor, ...]
    fake_labels: tuple[Tensor, ...]

    def bind(self, discriminator: nn.Module) -> tuple[Callable[[], Tensor], Callable[[], Tensor]]:
        """Return functions that score the real and the generated samples again."""
        return (
            functools.partial(discriminator, self.noisy_real, *self.real_labels),
            functools.partial(discriminator, self.noisy_fake, *self.fake_labels),
        )

    @classmethod
    def from_list(cls, values: Sequence[Any], device: torch.device) -> DiscriminatorBatches:
        """Return the batches that were a list, on a device."""
        *tensors, real_labels, fake_labels = values
        real, real_scores, noisy_real, noisy_fake = (tensor.to(device) for tensor in tensors)
        labels = (tuple(each.to(device) for each in part) for part in (real_labels, fake_labels))
        return cls(real, real_scores, noisy_real, noisy_fake, *labels)


class Trainer:
    """Trains a GAN; its state between two steps can be saved and loaded.

    Attributes:
        step: completed generator steps: the time axis of every record.

    Args:
        gan: both networks and their losses. The networks are trained in place, on their device.
        samples: ``(N, *shape)`` real samples on the same device.
        training: number of steps, batch size, optimizers and further options of the loop.
        seed: seed of the random stream for batches, latents, labels and instance noise.
        watch: measures the training steps, or None. With or without a watch, the trained weights
            are bit-identical.
        labels: ``(N,)`` int64 classes on the same device; needed by a GAN with classes.

    Raises:
        ValueError: the GAN has classes, and `labels` is None.
    """

    def __init__(
        self,
        gan: GAN,
        samples: Tensor,
        training: Training,
        seed: int,
        watch: Watch | None,
        labels: Tensor | None = None,
    ) -> None:
        if gan.classes and labels is None:
            raise ValueError("a GAN with classes is trained on samples with labels")
        self.gan = gan = add_averaged_generator(gan, training)
        # A GAN without classes ignores the labels of its data, such as those of MNIST.
        self.sampler = BatchSampler(samples, labels if gan.classes else None, training, seed)
        self.training, self.watch = training, watch
        self.generator_optimizer = build_optimizer(gan.generator, training.generator.optimizer)
        self.discriminator_optimizer = build_optimizer(
            gan.discriminator, training.discriminator.optimizer
        )
        self._generator_weights = [
            weight for weight in gan.generator.parameters() if weight.requires_grad
        ]
        self.step = 0
        self._generator_steps_left = 0  # in this round, after its discriminator steps
        # The last discriminator step leaves its batches for snapshots of the next generator step.
        self.batches: DiscriminatorBatches | None = None

    def run(self) -> int:
        """Train to the end, and return the number of completed generator steps."""
        training, watch = self.training, self.watch
        try:
            while self.step < training.steps:
                for _ in range(0 if self._generator_steps_left else training.discriminator.steps):
                    self.discriminator_step(self.step)
                # The last round may be shorter: a run has exactly `training.steps` generator steps.
                steps = self._generator_steps_left or training.generator.steps
                self._generator_steps_left = min(steps, training.steps - self.step)
                while self._generator_steps_left:
                    self.generator_step(self.step)
                    # Counted before the watch is called, which may save the state or end the run.
                    self.step += 1
                    self._generator_steps_left -= 1
                    if watch is not None:
                        watch.after_generator_step(self.step, self.gan.evaluated_generator)
        except StopTraining:
            pass
        finally:  # also after Ctrl-C or an error: the measurements made so far are written
            if watch is not None:
                # This flush may run the detectors once more, which may raise the exception again.
                with suppress(StopTraining):
                    watch.flush(self.step)
        return self.step

    def discriminator_step(self, step: int) -> None:
        """Update the discriminator once, on one real and one generated batch."""
        gan, sampler = self.gan, self.sampler

        # A generated sample gets the label of the real sample in the same row: a gradient penalty
        # interpolates between the rows, and a point between two classes would have no label.
        real, real_labels = sampler.next_real_batch()
        latents = sampler.sample_latents(gan.latent_size)
        fake_labels = tuple(_repeat_labels(labels, len(latents)) for labels in real_labels)
        with torch.no_grad():  # this step needs no gradient of the generator
            fake = gan.generator(latents, *fake_labels)

        # Without instance noise, add_noise returns its argument.
        noisy_real, noisy_fake = sampler.add_noise(real, step), sampler.add_noise(fake, step)
        # Two calls, so that BatchNorm normalises each of the two batches by its own statistics.
        real_scores = gan.discriminator(noisy_real, *real_labels)
        fake_scores = gan.discriminator(noisy_fake, *fake_labels)
        loss = gan.objective.discriminator(real_scores, fake_scores)
        if gan.penalty is not None:
            discriminator = _bind_labels(gan.discriminator, real_labels)
            loss = loss + gan.penalty(discriminator, noisy_real, noisy_fake)

        self.discriminator_optimizer.zero_grad()
        torch.autograd.backward(loss)  # loss.backward(), but with type annotations

        # Probes measure here: the gradients are complete, and the weights are not updated yet.
        # is_due is a cheap check, so most steps build no snapshot.
        # The scores are detached, so that no graph of this step stays in memory.
        self.batches = DiscriminatorBatches(
            real, real_scores.detach(), noisy_real, noisy_fake, real_labels, fake_labels
        )
        if self.watch is not None and self.watch.is_due(step, "discriminator"):
            snapshot = self._build_snapshot(step, "discriminator", fake, fake_scores, loss)
            self.watch.observe(snapshot)

        self._set_learning_rate(
            self.discriminator_optimizer, self.training.discriminator.optimizer, step
        )
        self.discriminator_optimizer.step()
        if gan.constrain is not None:  # weight clipping comes after the update (WGAN, algorithm 1)
            gan.constrain(gan.discriminator)

    def generator_step(self, step: int) -> None:
        """Update the generator once, through the discriminator's scores of a generated batch."""
        gan, sampler = self.gan, self.sampler

        # New latents, as in algorithm 1 of Goodfellow et al. 2014: the discriminator step has just
        # been trained against the samples of its own latents.
        latents, labels = sampler.sample_latents(gan.latent_size), sampler.sample_labels()
        fake = gan.generator(latents, *labels)
        # The generator is trained on noisy samples, too, as the discriminator has been trained on
        # such samples alone.
        scores = gan.discriminator(sampler.add_noise(fake, step), *labels)
        loss = gan.objective.generator(scores)

        is_observed = self.watch is not None and self.watch.is_due(step, "generator")
        if is_observed:  # autograd computes both gradients anyway; this only keeps them
            fake.retain_grad()
            scores.retain_grad()
        self.generator_optimizer.zero_grad()
        # Only the generator's gradients are computed. Those of the discriminator's weights would
        # cost a quarter of this pass (linear layers, batch 128), and no step would use them.
        inputs = [*self._generator_weights, *((fake, scores) if is_observed else ())]
        torch.autograd.backward(loss, inputs=inputs)

        if self.watch is not None:
            self.watch.add_batch(
                self._make_evaluated_samples(fake, latents, labels), latents, *labels
            )
            if is_observed:
                self.watch.observe(self._build_snapshot(step, "generator", fake, scores, loss))

        self._set_learning_rate(self.generator_optimizer, self.training.generator.optimizer, step)
        self.generator_optimizer.step()
        if gan.averaged is not None:
            gan.averaged.update_parameters(gan.generator)

    def state(self) -> dict[str, Any]:
        """Return all that decides the further steps, for `load_state`; call it between two steps.

        The gradients are not part of it: each step clears those that it uses.
        """
        return {
            "step": self.step,
            "generator_steps_left": self._generator_steps_left,
            "sampler": self.sampler.state(),
            "networks": {
                name: network.state_dict() for name, network in self._stateful_networks().items()
            },
            # Without the options, which the scenario gives: only moments and counters.
            "optimizers": [each.state_dict()["state"] for each in self._optimizers()],
            "batches": None if self.batches is None else list(self.batches),
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on where the trainer that gave this `state` was.

        Raises:
            RuntimeError: the networks have another architecture.
        """
        device = next(self.gan.generator.parameters()).device
        self.step, self._generator_steps_left = state["step"], state["generator_steps_left"]
        self.sampler.load_state(state["sampler"])
        for name, network in self._stateful_networks().items():
            network.load_state_dict(state["networks"][name])
        for optimizer, moments in zip(self._optimizers(), state["optimizers"], strict=True):
            optimizer.load_state_dict({**optimizer.state_dict(), "state": moments})
        if state["batches"] is not None:
            self.batches = DiscriminatorBatches.from_list(state["batches"], device)

    def _stateful_networks(self) -> dict[str, nn.Module]:
        gan = self.gan
        networks = {"generator": gan.generator, "discriminator": gan.discriminator}
        return networks if gan.averaged is None else {**networks, "averaged": gan.averaged}

    def _optimizers(self) -> tuple[torch.optim.Optimizer, torch.optim.Optimizer]:
        return self.generator_optimizer, self.discriminator_optimizer

    def _make_evaluated_samples(
        self, fake: Tensor, latents: Tensor, labels: tuple[Tensor, ...]
    ) -> Tensor:
        """Return the samples for evaluation: of the averaged generator, if the GAN has one."""
        if self.gan.averaged is None:
            return fake
        # One more forward pass a step. BatchNorm statistics and random states are restored after.
        with without_side_effects(self.gan.averaged):
            # The latents of the training step serve again, as new ones would change the random
            # stream.
            samples: Tensor = self.gan.averaged(latents, *labels)
        return samples

    def _set_learning_rate(
        self, optimizer: torch.optim.Optimizer, settings: Optimizer, step: int
    ) -> None:
        # Not a scheduler of torch, which counts its own steps: with several discriminator steps for
        # each generator step, both learning rates must still decay together.
        factor = compute_learning_rate_factor(self.training, step)
        for group in optimizer.param_groups:
            group["lr"] = settings.lr * factor

    def _build_snapshot(
        self, step: int, network_name: NetworkName, fake: Tensor, scores: Tensor, loss: Tensor
    ) -> Snapshot:
        """Collect what the probes may use of the current step; every tensor is detached."""
        is_generator, batches = network_name == "generator", self.batches
        assert batches is not None, "a discriminator step comes first"
        discriminator = self.gan.discriminator
        score_real, score_fake = batches.bind(discriminator)
        return Snapshot(
            step=step,
            network_name=network_name,
            generator=self.gan.generator,
            discriminator=discriminator,
            evaluated_generator=self.gan.averaged,
            real=batches.real,
            fake=fake.detach(),
            # ForwardPass runs only if a probe uses its output, and at most once a snapshot.
            real_pass=ForwardPass(discriminator, score_real),
            score_fake=score_fake,
            real_scores=batches.real_scores,
            fake_scores=scores.detach(),
            score_gradient=scores.grad if is_generator else None,
            input_gradient=fake.grad if is_generator else None,
            loss=loss.detach(),
        )


def _repeat_labels(labels: Tensor, size: int) -> Tensor:
    """Repeat ``(n,)`` labels to ``(size,)``; n is smaller where the data set is below a batch."""
    return labels[torch.arange(size, device=labels.device) % len(labels)]


def _bind_labels(
    discriminator: nn.Module, labels: tuple[Tensor, ...]
) -> Callable[[Tensor], Tensor]:
    """Return the discriminator as a function of samples alone, as a penalty calls it."""
    return (lambda samples: discriminator(samples, *labels)) if labels else discriminator


def train_network(
    network: nn.Module,
    compute_loss: Callable[[], Tensor],
    optimizer: Optimizer,
    steps: int,
    constrain: Callable[[nn.Module], None] | None = None,
) -> Iterator[int]:
    """Train one network alone while the other one stays fixed; yield after each step.

    The instruments of ``gandiag examine`` train copies of a network in this way.

    Args:
        network: trained in place.
        compute_loss: returns the 0-dim loss of the next step.
        optimizer: the optimizer's name and options.
        steps: maximal number of steps.
        constrain: called with the network after each step, as ``GAN.constrain``; None for nothing.

    Yields:
        The number of completed steps.
    """
    # An optimizer of its own: the moments of the run's optimizer are not in a checkpoint.
    torch_optimizer = build_optimizer(network, optimizer)
    for step in range(1, steps + 1):
        loss = compute_loss()
        torch_optimizer.zero_grad()
        torch.autograd.backward(loss)
        torch_optimizer.step()
        if constrain is not None:
            constrain(network)
        # The caller measures between two steps, or ends its loop early.
        yield step
