"""One Gaussian: data with a single mode."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from gandiag.datasets._mixture import check_sampling_options, sample_mixture
from gandiag.datasets.data import Data


@dataclass(frozen=True)
class Gaussian:
    """Points ``(dimensions,)`` from one Gaussian with the same width in all directions."""

    dimensions: int = 2  # A point has this number of coordinates.
    mean: float = 0.0  # Each coordinate has this mean, in data units.
    sd: float = 1.0  # Each coordinate has this standard deviation, in data units.
    samples: int = 10_000  # The training set has this number of points.
    # The held-out set has this number of points, from a random stream of its own.
    held_out: int = 2_000
    seed: int = 0  # The same seed gives the same points.

    def __post_init__(self) -> None:
        """Raise `ValueError` for an option that is out of range."""
        if self.dimensions < 1:
            raise ValueError("dimensions must be at least 1")
        if not math.isfinite(self.mean):
            raise ValueError("mean must be finite")
        check_sampling_options(self.sd, (), 1, (self.samples, self.held_out), self.seed)

    def centres(self) -> Tensor:
        """Return the centre of the only mode, ``(1, dimensions)``."""
        return torch.full((1, self.dimensions), self.mean)

    def load(self) -> Data:
        """Draw training and held-out points, all with the label 0."""
        return sample_mixture(self.centres(), self.sd, (), (self.samples, self.held_out), self.seed)
