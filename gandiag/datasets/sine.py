"""A sine curve: data without separate modes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gandiag.datasets._mixture import check_sampling_options, create_random_stream
from gandiag.datasets.data import Data

FINE = 2001  # points at which the curve's length is summed up: error below 1e-6 of a period


@dataclass(frozen=True)
class Sine:
    """Points ``(2,)`` along y = sin x: x uniform over whole periods around 0, y with noise."""

    periods: int = 1  # of the curve; x lies within periods * pi of 0
    sd: float = 0.05  # of y around sin x, in data units
    samples: int = 10_000  # training points
    held_out: int = 2_000  # held-out points, from a stream of their own
    seed: int = 0  # the same seed gives the same points

    def __post_init__(self) -> None:
        """Refuse what is no curve."""
        if self.periods < 1:
            raise ValueError("periods is at least 1")
        check_sampling_options(self.sd, (), 1, (self.samples, self.held_out), self.seed)

    def load(self) -> Data:
        """Draw the points."""
        parts = (self._draw(size, k) for k, size in enumerate((self.samples, self.held_out)))
        return Data(*parts)

    def off(self, points: Tensor) -> Tensor:
        """How far ``(n, 2)`` points lie above the curve at their x, ``(n,)``, in data units."""
        return points[:, 1] - points[:, 0].sin()

    def along(self, points: Tensor) -> Tensor:
        """Share of the curve's length that lies left of each point, ``(n,)`` in [0, 1].

        Points beyond an end count as lying at that end.
        """
        end = self.periods * math.pi
        grid = np.linspace(-end, end, FINE * self.periods)
        speed = np.sqrt(1 + np.cos(grid) ** 2)
        length = np.concatenate([[0.0], np.cumsum((speed[1:] + speed[:-1]) / 2)])
        shares = np.interp(points[:, 0].double().cpu().numpy(), grid, length / length[-1])
        return torch.from_numpy(shares).to(points)

    def _draw(self, size: int, index: int) -> Tensor:
        draw = create_random_stream(self.seed, index)
        x = (2 * torch.rand(size, generator=draw) - 1) * self.periods * math.pi
        return torch.stack([x, x.sin() + self.sd * torch.randn(size, generator=draw)], 1)
