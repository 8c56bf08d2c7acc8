"""Gaussians on a circle: two-dimensional data on which mode collapse can be seen directly."""

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

    Metz et al. 2017 (Unrolled generative adversarial networks) use 8 modes with a standard
    deviation of 0.02 at radius 2. The default modes are wider: a mode that became narrower can
    then be distinguished from a mode that is missing.
    """

    modes: int = 8  # The ring has this number of Gaussians; mode k is at the angle 2 pi k / modes.
    radius: float = 2.0  # The centres of the modes lie at this distance from the middle.
    sd: float = 0.1  # Each mode has this standard deviation along each axis, in data units.
    # The circle has its centre here, in data units; a first sample of a generator lies near (0, 0),
    # so a distant ring is hard to reach.
    middle: tuple[float, float] = (0.0, 0.0)
    samples: int = 10_000  # The training set has this number of points.
    # The held-out set has this number of points, from a random stream of its own.
    held_out: int = 2_000
    # Each mode has this relative probability; an empty list makes all modes equally probable.
    weights: tuple[float, ...] = ()
    seed: int = 0  # The same seed gives the same points.

    def __post_init__(self) -> None:
        """Raise `ValueError` for an option that is out of range."""
        if self.modes < 1:
            raise ValueError("modes must be at least 1")
        if not (math.isfinite(self.radius) and self.radius > 0):
            raise ValueError("radius must be finite and positive")
        if not all(map(math.isfinite, self.middle)):
            raise ValueError("middle must be finite")
        check_sampling_options(
            self.sd, self.weights, self.modes, (self.samples, self.held_out), self.seed
        )

    def centres(self) -> Tensor:
        """Return the centres of the modes, ``(modes, 2)``, counter-clockwise from the right."""
        angles = torch.arange(self.modes, dtype=torch.float64) * (2 * math.pi / self.modes)
        circle = self.radius * torch.stack([angles.cos(), angles.sin()], 1)
        return (circle + torch.tensor(self.middle, dtype=torch.float64)).float()

    def load(self) -> Data:
        """Draw training and held-out points, labelled by mode."""
        sizes = (self.samples, self.held_out)
        return sample_mixture(self.centres(), self.sd, self.weights, sizes, self.seed)
