"""The duality gap: how much could each network still gain if the other one were frozen?

``DG(G, D) = max_D' V(G, D') - min_G' V(G', D)``, where the value V is the negative of the
discriminator's loss without penalties. The gap is never negative, and it is 0 exactly at an
equilibrium. Its first part alone follows the distance of the generated samples from the data; its
second part shows whether the generator can improve against this discriminator (Grnarova et al.
2019).

How it is measured: a copy of each network is trained against the other, frozen network. The
checkpoint of the copy with the best value on training samples is then evaluated on held-out
samples, which are the same for both copies.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import PositiveFloat, PositiveInt
from torch import Tensor, nn

from gandiag.examination.finding import Finding, Measure
from gandiag.examination.game_state import Batch, GameState
from gandiag.models.gan import GAN
from gandiag.scenario.training_settings import Adam
from gandiag.training.trainer import train_network

LIMITS = (
    "A lower bound: a longer training may find better responses. V is the discriminator's value, "
    "also if the generator minimises another function of the scores, such as -log D(G(z))."
)
CHECKS = 10  # Evaluations during the training of a copy, the best of which is kept.
Array = NDArray[np.float64]


@dataclass(frozen=True)
class DualityGap:
    """How much each network could still gain against the other, frozen one."""

    # Each copy is trained for this many steps; Sidheekh et al. 2021 use 250.
    steps: PositiveInt = 300
    # The copies are trained by Adam with this learning rate and betas (0.5, 0.999).
    rate: PositiveFloat = 1e-3
    # Each batch of the training and of the evaluation has this many samples.
    batch_size: PositiveInt = 128
    # The value is evaluated on at most this many batches, all with different real samples.
    batches: PositiveInt = 8

    def examine(self, state: GameState, progress: Callable[[float], None]) -> Finding:
        """Return the gap, and what each of the networks could gain."""
        if not _is_monotonic(state):
            summary = (
                "Not applicable: the discriminator's loss does not rise with the score of every "
                "generated sample, so what it loses is not what the generator gains."
            )
            return Finding("duality_gap", summary, limits=LIMITS)
        # At least two batches, if possible: one batch gives no standard error.
        size = min(self.batch_size, max(2, len(state.held_out) // 2))
        count = min(self.batches, max(1, len(state.held_out) // size))
        unseen = state.draw_batches(size, 0, count, held_out=True)
        gan = state.copy_networks()
        with state.seeded(0):
            best_discriminator = self._train_response(
                state, "discriminator", lambda share: progress(share / 2)
            )
            best_generator = self._train_response(
                state, "generator", lambda share: progress((1 + share) / 2)
            )
            value = _evaluate_value(gan, unseen)
            upper = _evaluate_value(best_discriminator, unseen)
            lower = _evaluate_value(best_generator, unseen)
        # The differences are taken batch by batch, so that the batches' common noise cancels.
        gap = _estimate_mean("gap", upper - lower, "duality gap")
        discriminator_gain = _estimate_mean(
            "discriminator_gain", upper - value, "possible gain of the discriminator"
        )
        generator_gain = _estimate_mean(
            "generator_gain", value - lower, "possible gain of the generator"
        )
        current = _estimate_mean(
            "value", value, "current value V, the negative of D's loss without penalties"
        )
        measures = (gap, discriminator_gain, generator_gain, current)
        summary = _summarize_gap(gap, discriminator_gain, generator_gain)
        return Finding("duality_gap", summary, measures, {}, LIMITS)

    def _train_response(
        self, state: GameState, name: str, progress: Callable[[float], None]
    ) -> GAN:
        """Return copies of both networks, of which the named one is trained alone."""
        gan = state.copy_networks()
        is_discriminator = name == "discriminator"
        network: nn.Module = getattr(gan, name)
        # A frozen network needs no gradients of its weights, which saves time and memory.
        (gan.generator if is_discriminator else gan.discriminator).requires_grad_(False)
        checked = state.draw_batches(self.batch_size, 1, self.batches)
        sign = 1.0 if is_discriminator else -1.0  # the generator minimises V
        steps_begun = 0

        def compute_loss() -> Tensor:
            nonlocal steps_begun
            steps_begun += 1
            # Seeds from 2 on, as seed 1 has drawn the samples that compare the checkpoints.
            batch = state.draw_batch(self.batch_size, 1 + steps_begun)
            fakes = batch.generate_fakes(gan)
            # A penalty guides only the training of D; it is no part of V, which G minimises.
            return sign * batch.discriminator_loss(gan, fakes, penalised=is_discriminator)

        every = max(1, self.steps // CHECKS)
        constrain = gan.constrain if is_discriminator else None
        # The untrained copy counts, too, so that a gain on training samples is never negative.
        best = sign * float(_evaluate_value(gan, checked).mean())
        best_weights = _copy_state(network)
        for step in train_network(network, compute_loss, Adam(lr=self.rate), self.steps, constrain):
            if step % every == 0 or step == self.steps:
                value = sign * float(_evaluate_value(gan, checked).mean())
                if value > best:
                    best, best_weights = value, _copy_state(network)
            progress(step / self.steps)
        network.load_state_dict(best_weights)
        return gan


def _evaluate_value(gan: GAN, batches: Sequence[Batch]) -> Array:
    """Return the value V on each batch, ``(len(batches),)``."""
    with torch.no_grad():
        losses = [
            batch.discriminator_loss(gan, batch.generate_fakes(gan), penalised=False)
            for batch in batches
        ]
    return -np.array([float(loss) for loss in losses])


def _copy_state(network: nn.Module) -> dict[str, Any]:
    return copy.deepcopy(network.state_dict())


def _is_monotonic(state: GameState) -> bool:
    """Whether D's loss never falls while the score of a generated sample rises.

    Only then does the discriminator lose what the generator gains, and V is the value of a
    two-player game in which one network's gain is the other's loss. Least squares, for example,
    penalises scores below 0, too.
    """
    # On a grid, as the formula of a user's own objective is not known here.
    scores = torch.linspace(-10, 10, 81, dtype=torch.float64)
    loss = state.gan.objective.discriminator
    losses = torch.stack([loss(torch.zeros_like(scores[:1]), score[None]) for score in scores])
    # The slack allows for rounding where the loss is nearly flat.
    return bool((losses.diff() >= -1e-12).all())


def _estimate_mean(name: str, values: Array, meaning: str) -> Measure:
    """Return the mean over batches +- 2 standard errors; the interval is NaN for one batch."""
    mean, count = float(values.mean()), len(values)
    error = 2 * float(values.std(ddof=1)) / math.sqrt(count) if count > 1 else math.nan
    return Measure(name, mean, mean - error, mean + error, f"{meaning}, +- 2 standard errors")


def _summarize_gap(gap: Measure, discriminator: Measure, generator: Measure) -> str:
    if not math.isfinite(gap.value):
        return "No gap could be computed: a loss is not finite."
    # Not `gap.low <= 0`: the bound of a single batch is NaN, which proves no gap either.
    if not gap.low > 0:
        return (
            "Neither network was found to gain beyond chance: as far as measured, an equilibrium."
        )
    name = "discriminator" if discriminator.value > generator.value else "generator"
    return f"The duality gap is at least {gap.value:.3g}, and the {name} could gain more of it."
