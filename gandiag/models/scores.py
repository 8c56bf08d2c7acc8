"""How a discriminator's raw output is read: as logits, probabilities, or a critic's values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from torch import Tensor

Scores = Literal["logits", "probabilities", "critic"]


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


def _logit(probabilities: Tensor) -> Tensor:
    tiny = torch.finfo(torch.float32).tiny
    p = probabilities.float()
    return p.clamp(min=tiny).log() - (1 - p).clamp(min=tiny).log()


def _slope_at_logit(probabilities: Tensor, gradient: Tensor) -> Tensor:
    """dL/dlogit = dL/dp p (1 - p): exactly 0 where a sigmoid has rounded to 0 or 1."""
    p = probabilities.float()
    return gradient.float() * p * (1 - p)


def _same(output: Tensor) -> Tensor:
    return output


def _same_slope(output: Tensor, gradient: Tensor) -> Tensor:
    return gradient


SCORE_FUNCTIONS: dict[Scores, ScoreFunctions] = {
    "logits": ScoreFunctions(_same, _same_slope, torch.sigmoid),
    "probabilities": ScoreFunctions(_logit, _slope_at_logit, torch.sigmoid),
    "critic": ScoreFunctions(_same, _same_slope, None),
}
