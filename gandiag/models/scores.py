"""How a discriminator's raw output is read: as logits, probabilities, or a critic's values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from torch import Tensor

ScoreType = Literal["logits", "probabilities", "critic"]


class ScoreFunctions(NamedTuple):
    """What turns a raw output into the score that probes see.

    Attributes:
        score: raw output -> score, of the same shape.
        slope: (raw output, gradient at it) -> gradient at the score.
        probability: score -> P(real), or None for a critic.
    """

    score: Callable[[Tensor], Tensor]
    gradient: Callable[[Tensor, Tensor], Tensor]
    probability: Callable[[Tensor], Tensor] | None


def _compute_logits(probabilities: Tensor) -> Tensor:
    tiny = torch.finfo(torch.float32).tiny
    p = probabilities.float()
    return p.clamp(min=tiny).log() - (1 - p).clamp(min=tiny).log()


def _compute_logit_gradient(probabilities: Tensor, gradient: Tensor) -> Tensor:
    """dL/dlogit = dL/dp p (1 - p): exactly 0 where a sigmoid has rounded to 0 or 1."""
    p = probabilities.float()
    return gradient.float() * p * (1 - p)


def _keep_output(output: Tensor) -> Tensor:
    return output


def _keep_gradient(output: Tensor, gradient: Tensor) -> Tensor:
    return gradient


SCORE_FUNCTIONS: dict[ScoreType, ScoreFunctions] = {
    "logits": ScoreFunctions(_keep_output, _keep_gradient, torch.sigmoid),
    "probabilities": ScoreFunctions(_compute_logits, _compute_logit_gradient, torch.sigmoid),
    "critic": ScoreFunctions(_keep_output, _keep_gradient, None),
}
