"""The optimal discriminator: does the generator still learn from one that is trained to the end?

What it tells: whether vanishing gradients lie in the game itself. Where real and made samples lie
on sets that hardly meet, a discriminator can become perfect, and under ``log(1 - D(G(z)))`` the
generator's gradient then falls to 0; under ``-log D(G(z))`` it does not (Arjovsky & Bottou 2017,
theorems 2.4 and 2.6, figure 2). If so, fewer discriminator steps only put it off.

How it is measured: a copy of the discriminator is trained on, the generator held still, while the
size of the generator's gradient on fresh latents is followed, and how well the copy ranks real
samples that it has not seen over fresh fakes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from pydantic import PositiveFloat, PositiveInt
from sklearn.metrics import roc_auc_score
from torch import Tensor

from gandiag.examination.finding import Finding, summarize_draws
from gandiag.examination.game_state import Batch, GameState
from gandiag.examination.vector_field import trained_weights
from gandiag.models.gan import GAN
from gandiag.scenario.training_settings import Adam
from gandiag.training.trainer import train_network

LIMITS = (
    "The copy is as good as so many steps of Adam make it, no better: a gradient that has not "
    "fallen yet may fall later, most of all where the ranking is still below 1."
)


@dataclass(frozen=True)
class OptimalDiscriminator:
    """What the generator would still learn from a discriminator that is trained to the end."""

    steps: PositiveInt = 500  # of the copy; the paper's gradients fell within some hundred
    every: PositiveInt = 25  # steps between two looks
    rate: PositiveFloat = 1e-3  # of the copy's Adam, with betas (0.5, 0.999)
    batch_size: PositiveInt = 128  # of the copy's training
    samples: PositiveInt = 512  # of each kind that are looked at
    draws: PositiveInt = 3  # of samples and batches, of which the range is given
    fall: PositiveFloat = 2.0  # decades by which the gradient must fall to be called vanishing

    def examine(self, subject: GameState, progress: Callable[[float], None]) -> Finding:
        """Return the generator's gradient before and after, and how far it has fallen."""
        gradients, rankings = [], []
        for draw in range(self.draws):
            sizes, ranks = self._follow(subject, draw, progress)
            gradients.append(sizes)
            rankings.append(ranks)
        falls = [_decades(sizes[0], sizes[-1]) for sizes in gradients]
        measures = (
            summarize_draws(
                "gradient", [sizes[0] for sizes in gradients], "|grad of G's loss| now"
            ),
            summarize_draws(
                "gradient_after", [sizes[-1] for sizes in gradients], "... with the copy"
            ),
            summarize_draws("fall", falls, "decades by which it falls"),
            summarize_draws(
                "auc", [ranks[0] for ranks in rankings], "D's ranking of real over fake now"
            ),
            summarize_draws("auc_after", [ranks[-1] for ranks in rankings], "... the copy's"),
        )
        looks = len(gradients[0])
        curves = {
            "step": [float(min(look * self.every, self.steps)) for look in range(looks)],
            "gradient": np.mean(gradients, axis=0).tolist(),
            "auc": np.mean(rankings, axis=0).tolist(),
        }
        said = self._says(measures[2].low, measures[2].high, measures[4].value)
        return Finding("optimal_discriminator", said, measures, curves, LIMITS)

    def _follow(
        self, subject: GameState, draw: int, progress: Callable[[float], None]
    ) -> tuple[list[float], list[float]]:
        """Sizes of G's gradient, and the copy's rankings, at each look."""
        gan = subject.copy_networks()
        asked = subject.draw_batch(self.samples, draw, held_out=True)
        first = 1 + draw * self.steps  # seed of the first batch
        taken = 0

        def loss() -> Tensor:
            nonlocal taken
            batch = subject.draw_batch(self.batch_size, first + taken)
            taken += 1
            with torch.no_grad():
                fakes = batch.generate_fakes(gan)
            return batch.discriminator_loss(gan, fakes)

        with subject.seeded(draw):
            sizes, ranks = [_gradient(gan, asked)], [_ranking(gan, asked)]
            settings = Adam(lr=self.rate)
            copy_learns = train_network(
                gan.discriminator, loss, settings, self.steps, gan.constrain
            )
            for step in copy_learns:
                if step % self.every == 0 or step == self.steps:
                    sizes.append(_gradient(gan, asked))
                    ranks.append(_ranking(gan, asked))
                progress((draw + step / self.steps) / self.draws)
        return sizes, ranks

    def _says(self, low: float, high: float, auc: float) -> str:
        after = f"With a discriminator trained {self.steps} steps on alone (AUC {auc:.3f}),"
        if math.isnan(low) or math.isnan(high):
            return f"{after} no fall can be told: the generator's gradient is 0 or not finite now."
        if low >= self.fall:
            return (
                f"{after} the generator's gradient falls by {low:.1f} decades or more: the better "
                "the discriminator, the less there is to learn from it."
            )
        if high < self.fall:
            return f"{after} the generator's gradient does not vanish."
        return f"{after} the generator's gradient vanishes in some draws and not in others."


def _gradient(gan: GAN, batch: Batch) -> float:
    """Norm of the gradient of G's loss in its weights."""
    weights, _ = trained_weights(gan)
    loss = batch.generator_loss(gan, batch.generate_fakes(gan))
    parts = torch.autograd.grad(loss, weights, materialize_grads=True)
    return math.hypot(*(float(part.double().norm()) for part in parts))


def _ranking(gan: GAN, batch: Batch) -> float:
    """D's area under the ROC curve; NaN where a score is not finite."""
    with torch.no_grad():
        real, fake = (part.flatten() for part in batch.scores(gan, batch.generate_fakes(gan)))
    scores = torch.cat([real, fake]).double().cpu().numpy()
    kinds = [1] * len(real) + [0] * len(fake)
    finite = math.isfinite(float(scores.sum()))
    return float(roc_auc_score(kinds, scores)) if finite else math.nan


def _decades(before: float, after: float) -> float:
    """How many powers of ten a gradient has fallen; infinite where nothing is left of it."""
    if not (before > 0 and math.isfinite(before) and math.isfinite(after)):
        return math.nan
    return math.log10(before / after) if after else math.inf
