"""The path angle: do the updates point from an earlier checkpoint towards this one?

``c(a)`` is the cosine between the straight line from an earlier to a later checkpoint and the
vector field at the point a of the line; ``a = 0`` is the earlier checkpoint, ``a = 1`` the later
one (Berard et al. 2020). If training is attracted by the later checkpoint, the field
points forward before ``a = 1`` and back behind it, so that the cosine changes its sign near 1. If
training rotates around a point near the line, the cosine keeps its sign and is small except for a
bump where the line is closest to that point.
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
    "Only one line through a space of very many dimensions. In such a space most directions are "
    "nearly orthogonal, so small cosines are common; their sign is the information."
)
Array = NDArray[np.float64]


@dataclass(frozen=True)
class PathAngle:
    """Direction of the updates along the line from an earlier checkpoint to this one."""

    # The line ends here; 0 is the earlier and 1 the later checkpoint.
    end: PositiveFloat = 1.5
    # The field is evaluated at this many points, evenly spaced from 0 to the end.
    points: PositiveInt = 31
    # The losses are means over this many real and generated samples.
    samples: PositiveInt = 512
    # The cosines are computed for this many draws of samples, and their range is reported.
    draws: PositiveInt = 3
    # The cosines have a bump if both ends are below this share of the largest cosine.
    bump: PositiveFloat = 0.5

    def examine(self, state: GameState, progress: Callable[[float], None]) -> Finding:
        """Return the cosines along the line, and where their sign changes."""
        if state.earlier is None:
            summary = "Not applicable: there is no earlier checkpoint of the networks."
            return Finding("path_angle", summary, limits=LIMITS)
        gan = state.copy_networks(torch.float64)
        begin = _flatten_weights(copy_gan(state.earlier, torch.float64))
        line = _flatten_weights(gan) - begin
        if not bool(line.any()):
            summary = "No path: both checkpoints have the same weights."
            return Finding("path_angle", summary, limits=LIMITS)
        along = np.linspace(0.0, self.end, self.points)
        rows: list[list[float]] = []
        for draw in range(self.draws):
            batch = state.draw_batch(self.samples, draw, dtype=torch.float64)
            rows.append([])
            for index, position in enumerate(along):
                _set_weights(gan, begin + float(position) * line)
                with state.seeded(draw):  # the same dropout at every point of the line
                    field = evaluate_field(gan, batch)
                rows[-1].append(float(field @ line / (field.norm() * line.norm())))
                progress((draw + (index + 1) / self.points) / self.draws)
        cosines = np.array(rows)
        curves = {"along": along.tolist(), "cosine": cosines.mean(0).tolist()}
        measures = _build_measures(along, cosines)
        summary = self._summarize_cosines(along, cosines)
        return Finding("path_angle", summary, measures, curves, LIMITS)

    def _summarize_cosines(self, along: Array, cosines: Array) -> str:
        known = np.isfinite(cosines).all(0)  # a field of 0 has no direction
        along, cosines = along[known], cosines[:, known]
        if not len(along):
            return "No cosine could be computed: the vector field is 0 or not finite everywhere."
        mean = cosines.mean(0)
        reversal = _find_reversal(along, mean)
        if np.isfinite(reversal):
            return f"The updates point forward along the line, and backward from {reversal:.3g} on."
        # A bump: one sign throughout, and both ends much smaller than the largest cosine.
        size = np.abs(mean)
        ends = max(size[0], size[-1])
        if ends < self.bump * size.max() and (np.sign(mean) == np.sign(mean[0])).all():
            closest = along[int(size.argmax())]
            return f"Training rotates around a point that the line is closest to at {closest:.3g}."
        forward = float((cosines > 0).all(0).mean())
        return f"The updates point forward on {forward:.0%} of the line, in all draws of samples."


def _build_measures(along: Array, cosines: Array) -> tuple[Measure, ...]:
    """Return the measures from cosines ``(draws, points)``."""
    later = cosines[:, along <= 1.0][:, -1]  # the last point up to the later checkpoint
    reversals = [_find_reversal(along, row) for row in cosines]
    return (
        summarize_draws("begin", cosines[:, 0].tolist(), "cosine at the earlier checkpoint"),
        summarize_draws("later", later.tolist(), "cosine at the later checkpoint"),
        summarize_draws("finish", cosines[:, -1].tolist(), "cosine at the end of the line"),
        summarize_draws(
            "turns_back", reversals, "position on the line behind which the updates point backward"
        ),
    )


def _find_reversal(along: Array, cosines: Array) -> float:
    """Return the last position at which the sign changes from plus to minus; NaN if none."""
    known = np.isfinite(cosines)
    along, cosines = along[known], cosines[known]
    changes = np.flatnonzero((cosines[:-1] > 0) & (cosines[1:] <= 0))
    if not len(changes):
        return float("nan")
    index = int(changes[-1])
    # Linear interpolation between the two points of the change.
    share = cosines[index] / (cosines[index] - cosines[index + 1])
    return float(along[index] + share * (along[index + 1] - along[index]))


def _flatten_weights(gan: GAN) -> Tensor:
    generator, discriminator = trained_weights(gan)
    return torch.cat([weight.detach().reshape(-1) for weight in (*generator, *discriminator)])


def _set_weights(gan: GAN, vector: Tensor) -> None:
    generator, discriminator = trained_weights(gan)
    weights = [*generator, *discriminator]
    # Buffers, such as the statistics of BatchNorm, stay those of the later checkpoint.
    parts = torch.split(vector, [weight.numel() for weight in weights])
    with torch.no_grad():
        for weight, part in zip(weights, parts, strict=True):
            weight.copy_(part.view_as(weight))
