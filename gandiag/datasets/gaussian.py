"""One Gaussian: no modes to lose."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from gandiag.datasets._mixture import check_sampling_options, sample_mixture
from gandiag.datasets.data import Data


@dataclass(frozen=True)
class Gaussian:
    """Points ``(dimensions,)`` from one Gaussian, equally wide in all directions."""

    dimensions: int = 2  # numbers a point has
    mean: float = 0.0  # of each of them, in data units
    sd: float = 1.0  # of each of them, in data units
    samples: int = 10_000  # training points
    held_out: int = 2_000  # held-out points, from a stream of their own
    seed: int = 0  # the same seed gives the same points

    def __post_init__(self) -> None:
        """Refuse what is no Gaussian."""
        if self.dimensions < 1:
            raise ValueError("dimensions is at least 1")
        if not math.isfinite(self.mean):
            raise ValueError("mean is finite")
        check_sampling_options(self.sd, (), 1, (self.samples, self.held_out), self.seed)

    def centres(self) -> Tensor:
        """The one centre, ``(1, dimensions)``."""
        return torch.full((1, self.dimensions), self.mean)

    def load(self) -> Data:
        """Draw the points."""
        return sample_mixture(self.centres(), self.sd, (), (self.samples, self.held_out), self.seed)
