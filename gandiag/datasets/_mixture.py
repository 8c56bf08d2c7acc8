"""Mixtures of equally wide Gaussians, with random streams of their own."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from gandiag.datasets.data import Data


def sample_mixture(
    centres: Tensor, sd: float, weights: Sequence[float], sizes: tuple[int, int], seed: int
) -> Data:
    """Draw training and held-out points independently.

    Args:
        centres: float32, ``(modes, d)``.
        sd: of every mode along every axis, in data units.
        weights: relative mass of each mode; empty means equal.
        sizes: number of training and of held-out points.
        seed: the same seed gives the same points, whatever else has been drawn.

    Returns:
        Points labelled with the index of their mode.
    """
    mass = torch.tensor(weights or [1.0] * len(centres), dtype=torch.float64)
    points, labels = zip(
        *(
            _sample_points(centres, sd, mass, size, create_random_stream(seed, k))
            for k, size in enumerate(sizes)
        ),
        strict=True,
    )
    return Data(*points, *labels)


def check_sampling_options(
    sd: float, weights: Sequence[float], modes: int, sizes: tuple[int, int], seed: int
) -> None:
    """Refuse what no points can be drawn from; the arguments are those of `sample_mixture`.

    Raises:
        ValueError: one of them cannot be, and which.
    """
    if seed < 0:
        raise ValueError("seed is not negative")
    if not (math.isfinite(sd) and sd >= 0):
        raise ValueError("sd is finite and not negative")
    if weights and len(weights) != modes:
        raise ValueError(f"weights has one entry for each of the {modes} modes, or none")
    if weights and not (min(weights) >= 0 and 0 < sum(weights) < math.inf):
        raise ValueError("weights are finite and not negative, and not all are 0")
    if min(sizes) < 1:
        raise ValueError("samples and held_out are at least 1")


def _sample_points(
    centres: Tensor, sd: float, mass: Tensor, size: int, stream: torch.Generator
) -> tuple[Tensor, Tensor]:
    labels = torch.multinomial(mass, size, replacement=True, generator=stream)
    noise = torch.randn(size, centres.shape[1], generator=stream)
    return centres[labels] + sd * noise, labels


def create_random_stream(seed: int, index: int) -> torch.Generator:
    """A generator of its own for each index, as unrelated as if it had another seed."""
    state = np.random.SeedSequence([seed, index]).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(state[0]))
