"""The path angle: on the straight line between two checkpoints, which way does the game push?

``c(a)`` is the cosine between the line and the vector field at the point ``a`` of it, 0 being the
earlier checkpoint and 1 the later one (Berard et al. 2020). A field that leads to the
later one points forward before it and back behind it: the sign changes near 1. A field that goes
round some centre keeps its sign and stands across the line but for a bump where that is nearest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import PositiveFloat, PositiveInt
from torch import Tensor

from gandiag.examination.finding import Finding, Measure, summarize_draws
from gandiag.examination.game_state import GameState, copy_gan
from gandiag.examination.vector_field import evaluate_field, trained_weights
from gandiag.models.gan import GAN

LIMITS = (
    "One line through a space of very many dimensions. In such a space most directions stand "
    "nearly at right angles, so small cosines are common; their sign is what tells."
)
Array = NDArray[np.float64]


@dataclass(frozen=True)
class PathAngle:
    """Which way the game pushes along the line from an earlier checkpoint to this one."""

    end: PositiveFloat = 1.5  # of the line, 1 being the later checkpoint
    points: PositiveInt = 31  # looks at the line, evenly spaced from 0 to the end
    samples: PositiveInt = 512  # of each kind
    draws: PositiveInt = 3  # of samples, of which the range is given
    bump: PositiveFloat = 0.5  # of the largest cosine, below which both ends lie about a centre

    def examine(self, subject: GameState, progress: Callable[[float], None]) -> Finding:
        """Return the cosines along the line, and where their sign changes."""
        if subject.earlier is None:
            says = "Not asked: it takes the players at an earlier moment, too."
            return Finding("path_angle", says, limits=LIMITS)
        gan, earlier = (
            subject.copy_networks(torch.float64),
            copy_gan(subject.earlier, torch.float64),
        )
        begin, line = _weights(earlier), _weights(gan) - _weights(earlier)
        if not bool(line.any()):
            says = "No path: both checkpoints hold the same weights."
            return Finding("path_angle", says, limits=LIMITS)
        along = np.linspace(0.0, self.end, self.points)
        rows: list[list[float]] = []
        for draw in range(self.draws):
            batch = subject.draw_batch(self.samples, draw, dtype=torch.float64)
            rows.append([])
            for index, at in enumerate(along):
                _put(gan, begin + float(at) * line)
                with subject.seeded(draw):
                    field = evaluate_field(gan, batch)
                rows[-1].append(float(field @ line / (field.norm() * line.norm())))
                progress((draw + (index + 1) / self.points) / self.draws)
        cosines = np.array(rows)
        curves = {"along": along.tolist(), "cosine": cosines.mean(0).tolist()}
        measures = _measures(along, cosines)
        return Finding("path_angle", self._says(along, cosines), measures, curves, LIMITS)

    def _says(self, along: Array, cosines: Array) -> str:
        known = np.isfinite(cosines).all(0)  # where the field is 0 it has no direction
        along, cosines = along[known], cosines[:, known]
        if not len(along):
            return "No cosine can be told: the field is nowhere a finite number, or 0 throughout."
        mean = cosines.mean(0)
        back = _turning_back(along, mean)
        if np.isfinite(back):
            return f"The game pushes forward along the line, and back from {back:.3g} of it on."
        size = np.abs(mean)
        ends = max(size[0], size[-1])
        if ends < self.bump * size.max() and (np.sign(mean) == np.sign(mean[0])).all():
            top = along[int(size.argmax())]
            return f"The game turns about a centre that the line passes at {top:.3g} of it."
        forward = float((cosines > 0).all(0).mean())
        return f"The game pushes forward on {forward:.0%} of the line, in all draws of samples."


def _measures(along: Array, cosines: Array) -> tuple[Measure, ...]:
    inside = along <= 1.0
    return (
        summarize_draws("begin", cosines[:, 0].tolist(), "cosine at the earlier checkpoint"),
        summarize_draws(
            "later", cosines[:, inside][:, -1].tolist(), "cosine at the later checkpoint"
        ),
        summarize_draws("finish", cosines[:, -1].tolist(), "cosine at the line's end"),
        summarize_draws(
            "turns_back",
            [_turning_back(along, row) for row in cosines],
            "part of the line after which it pushes back",
        ),
    )


def _turning_back(along: Array, cosines: Array) -> float:
    """Where the sign changes from plus to minus for the last time; NaN where it never does."""
    known = np.isfinite(cosines)
    along, cosines = along[known], cosines[known]
    changes = np.flatnonzero((cosines[:-1] > 0) & (cosines[1:] <= 0))
    if not len(changes):
        return float("nan")
    at = int(changes[-1])
    share = cosines[at] / (cosines[at] - cosines[at + 1])
    return float(along[at] + share * (along[at + 1] - along[at]))


def _weights(gan: GAN) -> Tensor:
    generator, discriminator = trained_weights(gan)
    return torch.cat([weight.detach().reshape(-1) for weight in (*generator, *discriminator)])


def _put(gan: GAN, vector: Tensor) -> None:
    generator, discriminator = trained_weights(gan)
    weights = [*generator, *discriminator]
    parts = torch.split(vector, [weight.numel() for weight in weights])
    with torch.no_grad():
        for weight, part in zip(weights, parts, strict=True):
            weight.copy_(part.view_as(weight))
