"""Samples of Gaussian mixtures whose modes have one width, from random streams of their own."""

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
    """Draw training and held-out points, each set from its own random stream.

    Args:
        centres: ``(modes, d)`` float32 centres of the modes.
        sd: standard deviation of each mode along each axis, in data units.
        weights: relative probability of each mode; empty for equal probabilities.
        sizes: number of training points and number of held-out points.
        seed: the same seed gives the same points, whatever was drawn before.

    Returns:
        Points ``(n, d)``; a label is the index of the point's mode.
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
    """Check the options that all datasets of points share.

    Args:
        sd: standard deviation of each mode.
        weights: relative probability of each mode, or empty.
        modes: number of modes.
        sizes: number of training points and number of held-out points.
        seed: seed of the random streams.

    Raises:
        ValueError: an option is out of range. The message names the option.
    """
    if seed < 0:
        raise ValueError("seed must not be negative")
    if not (math.isfinite(sd) and sd >= 0):
        raise ValueError("sd must be finite and not negative")
    if weights and len(weights) != modes:
        raise ValueError(f"weights must have one entry for each of the {modes} modes, or none")
    if weights and not (min(weights) >= 0 and 0 < sum(weights) < math.inf):
        raise ValueError("weights must be finite and not negative, and not all 0")
    if min(sizes) < 1:
        raise ValueError("samples and held_out must be at least 1")


def _sample_points(
    centres: Tensor, sd: float, mass: Tensor, size: int, stream: torch.Generator
) -> tuple[Tensor, Tensor]:
    labels = torch.multinomial(mass, size, replacement=True, generator=stream)
    noise = torch.randn(size, centres.shape[1], generator=stream)
    return centres[labels] + sd * noise, labels


def create_random_stream(seed: int, index: int) -> torch.Generator:
    """Return an independent random stream for a seed and an index.

    Numpy's SeedSequence mixes both numbers. Seeds such as ``seed + index`` would let the held-out
    points of one seed equal the training points of the next seed.
    """
    state = np.random.SeedSequence([seed, index]).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(state[0]))
