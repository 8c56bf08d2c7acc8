"""The optimal discriminator: would a discriminator trained to the end still give G a gradient?

It shows whether vanishing gradients are a property of the problem itself. If real and generated
samples lie on sets that hardly overlap, a discriminator can become perfect. The generator's
gradient then vanishes under ``log(1 - D(G(z)))``; it does not under ``-log D(G(z))`` (Arjovsky &
Bottou 2017, theorems 2.4 and 2.6, figure 2). In such a case fewer discriminator steps only delay
the failure.

How it is measured: a copy of the discriminator is trained on while the generator is frozen.
Meanwhile the norm of the generator's gradient on new latents is measured, and the copy's AUC
between held-out real samples and new generated ones.
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
    "The copy is trained for a limited number of steps. A gradient that has not vanished by then "
    "may vanish later, above all if the discriminator AUC is still below 1."
)


@dataclass(frozen=True)
class OptimalDiscriminator:
    """The generator's gradient from a discriminator that is trained to the end."""

    # The copy is trained for this many steps; the gradients in the paper vanish within hundreds.
    steps: PositiveInt = 500
    # Gradient and AUC are measured every this many steps.
    every: PositiveInt = 25
    # The copy is trained by Adam with this learning rate and betas (0.5, 0.999).
    rate: PositiveFloat = 1e-3
    # The copy is trained on batches of this many samples.
    batch_size: PositiveInt = 128
    # Gradient and AUC are measured on this many real and generated samples.
    samples: PositiveInt = 512
    # The measurement is repeated with this many draws of samples, and the range is reported.
    draws: PositiveInt = 3
    # The gradient vanishes if it falls by this many powers of ten.
    fall: PositiveFloat = 2.0

    def examine(self, state: GameState, progress: Callable[[float], None]) -> Finding:
        """Return the generator's gradient before and after, and how far it has fallen."""
        gradients, aucs = [], []
        for draw in range(self.draws):
            norms, draw_aucs = self._train_copy(state, draw, progress)
            gradients.append(norms)
            aucs.append(draw_aucs)
        falls = [_powers_of_ten(norms[0], norms[-1]) for norms in gradients]
        measures = (
            summarize_draws(
                "gradient",
                [norms[0] for norms in gradients],
                "norm of the generator's gradient now",
            ),
            summarize_draws(
                "gradient_after",
                [norms[-1] for norms in gradients],
                "norm of the generator's gradient with the trained copy",
            ),
            summarize_draws("fall", falls, "powers of ten by which the gradient falls"),
            summarize_draws("auc", [each[0] for each in aucs], "discriminator AUC now"),
            summarize_draws(
                "auc_after", [each[-1] for each in aucs], "discriminator AUC of the trained copy"
            ),
        )
        count = len(gradients[0])
        curves = {
            # The last measurement follows the last step, even if `every` does not divide `steps`.
            "step": [float(min(index * self.every, self.steps)) for index in range(count)],
            "gradient": np.mean(gradients, axis=0).tolist(),
            "auc": np.mean(aucs, axis=0).tolist(),
        }
        summary = self._summarize_fall(measures[2].low, measures[2].high, measures[4].value)
        return Finding("optimal_discriminator", summary, measures, curves, LIMITS)

    def _train_copy(
        self, state: GameState, draw: int, progress: Callable[[float], None]
    ) -> tuple[list[float], list[float]]:
        """Train a copy of the discriminator.

        Returns:
            The norm of the generator's gradient and the copy's AUC, before the first step, every
            `every` steps and after the last step.
        """
        gan = state.copy_networks()
        # The same samples before and after, so that only the discriminator changes.
        evaluated = state.draw_batch(self.samples, draw, held_out=True)
        first_seed = 1 + draw * self.steps  # no two draws train on the same batch
        steps_begun = 0

        def compute_loss() -> Tensor:
            nonlocal steps_begun
            batch = state.draw_batch(self.batch_size, first_seed + steps_begun)
            steps_begun += 1
            with torch.no_grad():  # the generator is frozen
                fakes = batch.generate_fakes(gan)
            return batch.discriminator_loss(gan, fakes)

        with state.seeded(draw):
            norms, aucs = [_gradient_norm(gan, evaluated)], [_compute_auc(gan, evaluated)]
            optimizer = Adam(lr=self.rate)
            for step in train_network(
                gan.discriminator, compute_loss, optimizer, self.steps, gan.constrain
            ):
                if step % self.every == 0 or step == self.steps:
                    norms.append(_gradient_norm(gan, evaluated))
                    aucs.append(_compute_auc(gan, evaluated))
                progress((draw + step / self.steps) / self.draws)
        return norms, aucs

    def _summarize_fall(self, low: float, high: float, auc: float) -> str:
        after = f"After {self.steps} steps of the discriminator alone (AUC {auc:.3f}),"
        if math.isnan(low) or math.isnan(high):
            return f"{after} no fall can be computed: the generator's gradient is 0 or not finite."
        if low >= self.fall:
            return (
                f"{after} the generator's gradient is smaller by {low:.1f} powers of ten or more: "
                "the better the discriminator, the less the generator learns from it."
            )
        if high < self.fall:
            return f"{after} the generator's gradient does not vanish."
        return f"{after} the generator's gradient vanishes in some draws of samples but not in all."


def _gradient_norm(gan: GAN, batch: Batch) -> float:
    """Return the Euclidean norm of the gradient of the generator's loss in its weights."""
    weights, _ = trained_weights(gan)
    loss = batch.generator_loss(gan, batch.generate_fakes(gan))
    parts = torch.autograd.grad(loss, weights, materialize_grads=True)
    # In float64: the squares of a vanished gradient, below 1e-23, could be 0 in float32.
    return math.hypot(*(float(part.double().norm()) for part in parts))


def _compute_auc(gan: GAN, batch: Batch) -> float:
    """Return the discriminator's area under the ROC curve; NaN if a score is not finite."""
    with torch.no_grad():
        real, fake = (part.flatten() for part in batch.scores(gan, batch.generate_fakes(gan)))
    scores = torch.cat([real, fake]).double().cpu().numpy()
    is_real = [1] * len(real) + [0] * len(fake)
    # The sum is NaN or infinite if any score is; scikit-learn would raise an error.
    is_finite = math.isfinite(float(scores.sum()))
    return float(roc_auc_score(is_real, scores)) if is_finite else math.nan


def _powers_of_ten(before: float, after: float) -> float:
    """Return by how many powers of ten a gradient has fallen; infinite if it is 0 now."""
    if not (before > 0 and math.isfinite(before) and math.isfinite(after)):
        return math.nan
    return math.log10(before / after) if after else math.inf
