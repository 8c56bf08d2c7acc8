"""Gaussians on a square grid: data with many modes, on which mode collapse shows in degrees."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from gandiag.datasets._mixture import check_sampling_options, sample_mixture
from gandiag.datasets.data import Data


@dataclass(frozen=True)
class Grid:
    """Points ``(2,)`` from equal Gaussians on a square grid around 0, labelled by mode.

    The defaults are the 25 modes of VEEGAN (Srivastava et al. 2017, section 4.1) with the numbers
    of PacGAN (Lin et al. 2018, section 4.1): centres at -4, -2, 0, 2 and 4 on each axis, and a
    variance of 0.0025.
    """

    # The grid has side * side modes; mode k stands in row k // side (y) and column k % side (x).
    side: int = 5
    spacing: float = 2.0  # Neighbouring centres have this distance, in data units.
    sd: float = 0.05  # Each mode has this standard deviation along each axis, in data units.
    samples: int = 10_000  # The training set has this number of points.
    # The held-out set has this number of points, from a random stream of its own.
    held_out: int = 2_000
    # Each mode has this relative probability; an empty list makes all modes equally probable.
    weights: tuple[float, ...] = ()
    seed: int = 0  # The same seed gives the same points.

    def __post_init__(self) -> None:
        """Raise `ValueError` for an option that is out of range."""
        if self.side < 1:
            raise ValueError("side must be at least 1")
        if not (math.isfinite(self.spacing) and self.spacing > 0):
            raise ValueError("spacing must be finite and positive")
        check_sampling_options(
            self.sd, self.weights, self.side**2, (self.samples, self.held_out), self.seed
        )

    def centres(self) -> Tensor:
        """Return the centres of the modes, ``(side * side, 2)``, row by row from the lower left."""
        axis = self.spacing * (torch.arange(self.side) - (self.side - 1) / 2)
        return torch.cartesian_prod(axis, axis).reshape(-1, 2).flip(1)

    def load(self) -> Data:
        """Draw training and held-out points, labelled by mode."""
        sizes = (self.samples, self.held_out)
        return sample_mixture(self.centres(), self.sd, self.weights, sizes, self.seed)
