"""Gaussians on a circle: mode collapse at a glance."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from gandiag.datasets._mixture import check_sampling_options, sample_mixture
from gandiag.datasets.data import Data


@dataclass(frozen=True)
class Ring:
    """Points ``(2,)`` from Gaussians on a circle, labelled by mode.

    The classical setup is that of Metz et al. 2017 (Unrolled generative adversarial networks):
    8 modes with sd 0.02 at radius 2. The default is wider, so that losing a mode's width can be
    told from losing the mode.
    """

    modes: int = 8  # Gaussians; mode k lies at the angle 2 pi k / modes
    radius: float = 2.0  # of the circle of their centres, in data units
    sd: float = 0.1  # of each along either axis, in data units
    middle: tuple[float, float] = (0.0, 0.0)  # of the circle; G begins near 0, so far off is far
    samples: int = 10_000  # training points
    held_out: int = 2_000  # held-out points, from a stream of their own
    weights: tuple[float, ...] = ()  # relative mass of each mode; empty: equal
    seed: int = 0  # the same seed gives the same points

    def __post_init__(self) -> None:
        """Refuse what is not a ring."""
        if self.modes < 1:
            raise ValueError("modes is at least 1")
        if not (math.isfinite(self.radius) and self.radius > 0):
            raise ValueError("radius is finite and positive")
        if not all(map(math.isfinite, self.middle)):
            raise ValueError("middle is finite")
        check_sampling_options(
            self.sd, self.weights, self.modes, (self.samples, self.held_out), self.seed
        )

    def centres(self) -> Tensor:
        """Centres of the modes, ``(modes, 2)``, counter-clockwise from the right."""
        angles = torch.arange(self.modes, dtype=torch.float64) * (2 * math.pi / self.modes)
        circle = self.radius * torch.stack([angles.cos(), angles.sin()], 1)
        return (circle + torch.tensor(self.middle, dtype=torch.float64)).float()

    def load(self) -> Data:
        """Draw the points."""
        sizes = (self.samples, self.held_out)
        return sample_mixture(self.centres(), self.sd, self.weights, sizes, self.seed)
