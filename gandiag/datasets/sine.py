"""A sine curve: data without separate modes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from gandiag.datasets._mixture import check_sampling_options, create_random_stream
from gandiag.datasets.data import Data


@dataclass(frozen=True)
class Sine:
    """Points ``(2,)`` along y = sin x: x uniform over whole periods around 0, y with noise."""

    periods: int = 1  # The curve has this number of periods; |x| is at most periods * pi.
    sd: float = 0.05  # The noise of y around sin x has this standard deviation, in data units.
    samples: int = 10_000  # The training set has this number of points.
    # The held-out set has this number of points, from a random stream of its own.
    held_out: int = 2_000
    seed: int = 0  # The same seed gives the same points.

    def __post_init__(self) -> None:
        """Raise `ValueError` for an option that is out of range."""
        if self.periods < 1:
            raise ValueError("periods must be at least 1")
        check_sampling_options(self.sd, (), 1, (self.samples, self.held_out), self.seed)

    def load(self) -> Data:
        """Draw training and held-out points; they have no labels."""
        return Data(self._sample_curve(self.samples, 0), self._sample_curve(self.held_out, 1))

    def _sample_curve(self, size: int, index: int) -> Tensor:
        stream = create_random_stream(self.seed, index)
        x = (2 * torch.rand(size, generator=stream) - 1) * self.periods * math.pi
        return torch.stack([x, x.sin() + self.sd * torch.randn(size, generator=stream)], 1)
