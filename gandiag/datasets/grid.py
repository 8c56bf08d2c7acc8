"""Gaussians on a square grid: many modes to lose."""

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

    The defaults are the 25 modes of VEEGAN (Srivastava et al. 2017, section 4.1) with the figures
    of PacGAN (Lin et al. 2018, section 4.1): centres at -4, -2, 0, 2, 4 on either axis and a
    variance of 0.0025.
    """

    side: int = 5  # modes a side; mode k has row k // side (y) and column k % side (x)
    spacing: float = 2.0  # between neighbouring centres, in data units
    sd: float = 0.05  # of each along either axis, in data units
    samples: int = 10_000  # training points
    held_out: int = 2_000  # held-out points, from a stream of their own
    weights: tuple[float, ...] = ()  # relative mass of each mode; empty: equal
    seed: int = 0  # the same seed gives the same points

    def __post_init__(self) -> None:
        """Refuse what is not a grid."""
        if self.side < 1:
            raise ValueError("side is at least 1")
        if not (math.isfinite(self.spacing) and self.spacing > 0):
            raise ValueError("spacing is finite and positive")
        check_sampling_options(
            self.sd, self.weights, self.side**2, (self.samples, self.held_out), self.seed
        )

    def centres(self) -> Tensor:
        """Centres of the modes, ``(side * side, 2)``, row by row from the lower left."""
        axis = self.spacing * (torch.arange(self.side) - (self.side - 1) / 2)
        return torch.cartesian_prod(axis, axis).reshape(-1, 2).flip(1)

    def load(self) -> Data:
        """Draw the points."""
        sizes = (self.samples, self.held_out)
        return sample_mixture(self.centres(), self.sd, self.weights, sizes, self.seed)
