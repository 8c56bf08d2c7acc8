"""Conversion of a discriminator's raw output to scores: logits, or the values of a critic.

A discriminator in a user's own training loop may end in a sigmoid. Probes need its logits, because
a float32 sigmoid rounds to 0 or 1 where the discriminator is certain.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from torch import Tensor

ScoreType = Literal["logits", "probabilities", "critic", "energy"]


class ScoreFunctions(NamedTuple):
    """Functions from the raw output of a discriminator to the scores that probes measure.

    Attributes:
        score: ``output -> score``, of the same shape.
        gradient: ``(output, dL/doutput) -> dL/dscore``, of the same shape.
        probability: ``score -> P(real)`` in [0, 1], or None for a critic.
    """

    score: Callable[[Tensor], Tensor]
    gradient: Callable[[Tensor, Tensor], Tensor]
    probability: Callable[[Tensor], Tensor] | None


def _compute_logits(probabilities: Tensor) -> Tensor:
    """Return log p - log(1 - p); the clamp bounds it to about +-87 where p is 0 or 1."""
    tiny = torch.finfo(torch.float32).tiny
    p = probabilities.float()
    return p.clamp(min=tiny).log() - (1 - p).clamp(min=tiny).log()


def _compute_logit_gradient(probabilities: Tensor, gradient: Tensor) -> Tensor:
    """Return dL/dlogit = dL/dp * p (1 - p): exactly 0 where a sigmoid has rounded to 0 or 1."""
    p = probabilities.float()
    return gradient.float() * p * (1 - p)


def _keep_output(output: Tensor) -> Tensor:
    return output


def _keep_gradient(output: Tensor, gradient: Tensor) -> Tensor:
    return gradient


def reverse_scores(functions: ScoreFunctions) -> ScoreFunctions:
    """The functions for outputs of which the low ones mean real: high scores mean real again."""
    return ScoreFunctions(
        lambda output: -functions.score(output),
        lambda output, gradient: -functions.gradient(output, gradient),
        functions.probability,
    )


_CRITIC = ScoreFunctions(_keep_output, _keep_gradient, None)

SCORE_FUNCTIONS: dict[ScoreType, ScoreFunctions] = {
    "logits": ScoreFunctions(_keep_output, _keep_gradient, torch.sigmoid),
    "probabilities": ScoreFunctions(_compute_logits, _compute_logit_gradient, torch.sigmoid),
    "critic": _CRITIC,
    "energy": reverse_scores(_CRITIC),
}
