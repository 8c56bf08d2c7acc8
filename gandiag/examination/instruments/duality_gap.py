"""The duality gap: what could either player still gain, if the other stood still?

``DG(G, D) = max_D' V(G, D') - min_G' V(G', D)``, where V is what D gains, the negative of its loss
without penalties. It is at least 0, and 0 exactly at an equilibrium; its first half alone follows
the distance of the samples from the data, its second half tells whether G can be improved against
this D (Grnarova et al. 2019).

How it is measured: a copy of each player is trained against the other held still; the best copy on
training samples is compared on samples that neither copy has seen, the same for both.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from pydantic import PositiveFloat, PositiveInt
from torch import Tensor, nn

from gandiag.examination.finding import Finding, Measure
from gandiag.examination.game_state import Batch, GameState
from gandiag.models.gan import GAN
from gandiag.scenario.training_settings import Adam
from gandiag.training.trainer import train_network

LIMITS = (
    "A lower bound: better responses than so many steps of Adam have found may exist. V is D's "
    "gain, also where G's own loss is another function of the scores, as -log D(G(z)) is."
)
CHECKS = 10  # of the training at which the best copy so far is kept


@dataclass(frozen=True)
class DualityGap:
    """How much either player could still gain against the other held still."""

    steps: PositiveInt = 300  # of each copy (Sidheekh et al. 2021 take 250)
    rate: PositiveFloat = 1e-3  # of the copies' Adam, with betas (0.5, 0.999)
    batch_size: PositiveInt = 128  # of training and of each batch that is looked at
    batches: PositiveInt = 8  # at most that are looked at, of different real samples

    def examine(self, subject: GameState, progress: Callable[[float], None]) -> Finding:
        """Return the gap, and what each of the players could gain."""
        if not _rises_with_score(subject):
            says = (
                "Not asked: D's loss does not rise with the fakes' scores throughout, so that what "
                "it loses is not what the generator wants."
            )
            return Finding("duality_gap", says, limits=LIMITS)
        size = min(self.batch_size, max(2, len(subject.held_out) // 2))
        count = min(self.batches, max(1, len(subject.held_out) // size))  # of disjoint ones
        unseen = subject.draw_batches(size, 0, count, held_out=True)
        now = subject.copy_networks()
        with subject.seeded(0):
            best_discriminator = self._respond(subject, "discriminator", lambda s: progress(s / 2))
            best_generator = self._respond(subject, "generator", lambda s: progress((1 + s) / 2))
            level = _values(now, unseen)
            above, below = _values(best_discriminator, unseen), _values(best_generator, unseen)
        gap = _estimate("gap", above - below, "duality gap")
        measures = (
            gap,
            _estimate("discriminator_gain", above - level, "what the discriminator could gain"),
            _estimate("generator_gain", level - below, "what the generator could gain"),
            _estimate("value", level, "V now, the negative of D's loss without penalties"),
        )
        return Finding("duality_gap", _says(gap, measures[1], measures[2]), measures, {}, LIMITS)

    def _respond(self, subject: GameState, player: str, progress: Callable[[float], None]) -> GAN:
        """The game with one player's copy trained against the other, which stands still."""
        gan = subject.copy_networks()
        theirs = player == "discriminator"
        network: nn.Module = getattr(gan, player)
        (gan.generator if theirs else gan.discriminator).requires_grad_(False)
        seen = subject.draw_batches(self.batch_size, 1, self.batches)
        sign = 1.0 if theirs else -1.0  # G's copy wants V small
        taken = 0

        def loss() -> Tensor:
            nonlocal taken
            taken += 1
            batch = subject.draw_batch(self.batch_size, 1 + taken)
            fakes = batch.generate_fakes(gan)
            return sign * batch.discriminator_loss(gan, fakes, penalised=theirs)

        every = max(1, self.steps // CHECKS)
        constrain = gan.constrain if theirs else None
        best, kept = sign * float(_values(gan, seen).mean()), _state(network)
        for step in train_network(network, loss, Adam(lr=self.rate), self.steps, constrain):
            if step % every == 0 or step == self.steps:
                found = sign * float(_values(gan, seen).mean())
                if found > best:
                    best, kept = found, _state(network)
            progress(step / self.steps)
        network.load_state_dict(kept)
        return gan


def _values(gan: GAN, batches: Sequence[Batch]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """V on each batch."""
    with torch.no_grad():
        losses = [
            batch.discriminator_loss(gan, batch.generate_fakes(gan), penalised=False)
            for batch in batches
        ]
    return -np.array([float(loss) for loss in losses])


def _state(network: nn.Module) -> dict[str, Any]:
    return copy.deepcopy(network.state_dict())


def _rises_with_score(subject: GameState) -> bool:
    """Whether D's loss never falls as a fake's score rises: what D loses is then what G gains."""
    scores = torch.linspace(-10, 10, 81, dtype=torch.float64)
    loss = subject.gan.objective.discriminator
    levels = torch.stack([loss(torch.zeros_like(scores[:1]), score[None]) for score in scores])
    return bool((levels.diff() >= -1e-12).all())


def _estimate(name: str, values: np.ndarray[Any, np.dtype[np.float64]], meaning: str) -> Measure:
    """Mean over the batches, give or take two standard errors; no interval for one batch."""
    mean, count = float(values.mean()), len(values)
    error = 2 * float(values.std(ddof=1)) / math.sqrt(count) if count > 1 else math.nan
    return Measure(name, mean, mean - error, mean + error, f"{meaning}, +- 2 standard errors")


def _says(gap: Measure, discriminator: Measure, generator: Measure) -> str:
    if not math.isfinite(gap.value):
        return "No gap can be told: a loss is not finite."
    if not gap.low > 0:
        return "Neither player was found to gain beyond chance: so far as this looks, a balance."
    who = "the discriminator" if discriminator.value > generator.value else "the generator"
    return f"Of at least {gap.value:.3g} that could still be gained, {who} could gain more."
