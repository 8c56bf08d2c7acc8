"""Features that show kinds of samples where the raw numbers hide them.

Two images of one kind may differ in every pixel because the object has moved, two waveforms because
of their phase, two clouds because of the order of their points, two rows of a table because one
column has a larger unit. Each transform removes one such difference. None of them is trained.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

# From flattened samples ``(n, D)`` to features ``(n, f)``.
Transform: TypeAlias = "Callable[[Tensor], Tensor]"

# Frequencies kept along each axis of an image, in cycles per side. Kinds differ in their coarse
# content, and all frequencies of 28 x 28 pixels would take 1.5 times as long.
IMAGE_FREQUENCIES = 8
# Random features of the points of a set. 32 tell 12 kinds of clouds apart as well as 64 do.
POINT_FEATURES = 32
# Samples with at most this many numbers are taken for rows of a table, whose columns may have any
# unit. It is the number from which on principal components are used, see features.py.
MOST_COLUMNS = 50
# Columns are divided by their standard deviations only if these differ by more than this factor;
# otherwise the features would tell nothing that the samples do not.
UNEQUAL_COLUMNS = 2.0
# Values along an axis below which it has no spectrum worth looking at.
LEAST_LENGTH = 8


@dataclass(frozen=True)
class Standardised:
    """Columns divided by their real standard deviations ``(D,)``."""

    sd: Tensor

    def __call__(self, flat: Tensor) -> Tensor:
        """Return ``(n, D)``."""
        return flat / self.sd


@dataclass(frozen=True)
class Spectrum:
    """Square roots of the amplitudes of the Fourier transform: they ignore place and phase.

    The square root makes weak frequencies count, too. So blurred samples do not pass for real ones.

    Attributes:
        shape: shape of a sample; an axis of other numbers may precede or follow `axis`.
        axis: axis of a batch along which the transform is taken.
    """

    shape: tuple[int, ...]
    axis: int

    def __call__(self, flat: Tensor) -> Tensor:
        """Return ``(n, f)``."""
        waves: Tensor = torch.fft.rfft(flat.reshape(-1, *self.shape), dim=self.axis)
        return waves.abs().sqrt().flatten(1)


@dataclass(frozen=True)
class ImageSpectrum:
    """The same for both axes of images, for the lowest frequencies in both directions.

    Attributes:
        shape: shape of an image, ``(C, H, W)``.
        rows: ``(H, 2 f)`` cosines and sines of the `f` lowest frequencies along a column.
        columns: ``(W, 2 f)`` the same along a row.
    """

    shape: tuple[int, ...]
    rows: Tensor
    columns: Tensor

    @classmethod
    def from_samples(cls, flat: Tensor, shape: tuple[int, ...]) -> ImageSpectrum:
        """Make the waves for images of a shape, on the device of `flat`."""
        return cls(shape, *(_make_waves(side).to(flat) for side in shape[1:]))

    def __call__(self, flat: Tensor) -> Tensor:
        """Return ``(n, 2 C f²)``.

        Two small matrix products take a third of the time of an FFT, which has all frequencies.
        """
        found = self.rows.T @ (flat.reshape(-1, *self.shape) @ self.columns)
        (cc, cs), (sc, ss) = (half.chunk(2, -1) for half in found.chunk(2, -2))
        waves = [torch.hypot(cc - ss, cs + sc), torch.hypot(cc + ss, cs - sc)]
        return torch.cat(waves, -1).sqrt().flatten(1)


def _make_waves(side: int) -> Tensor:
    """Cosines and sines ``(side, 2 f)`` of the lowest frequencies, at most `IMAGE_FREQUENCIES`."""
    frequencies = torch.arange(min(IMAGE_FREQUENCIES, side // 2 + 1))
    angles = 2 * math.pi / side * torch.arange(side)[:, None] * frequencies
    return torch.cat([angles.cos(), angles.sin()], 1)


@dataclass(frozen=True)
class PointSet:
    """Means and largest values over points: they ignore the order of the points.

    The features of a point are its own numbers and random rectified combinations of them, as in
    Deep Sets (Zaheer et al. 2017) with random weights. For one-hot words, the means are the
    frequencies of the words.

    Attributes:
        shape: shape of a sample.
        channels: axis of a batch along which the numbers of one point lie.
        mean: ``(c,)`` mean of each number of the real points.
        sd: ``(c,)`` their standard deviations.
    """

    shape: tuple[int, int]
    channels: int
    mean: Tensor
    sd: Tensor

    def __call__(self, flat: Tensor) -> Tensor:
        """Return ``(n, c + 64)``."""
        points = _to_points(flat, self.shape, self.channels)
        points = (points - self.mean) / self.sd
        draw = torch.Generator().manual_seed(0)
        count = points.shape[2]
        weights = torch.randn(count + 1, POINT_FEATURES, generator=draw).to(flat)
        hidden = (points @ (weights[:-1] / count**0.5) + weights[-1]).relu()
        return torch.cat([points.mean(1), hidden.mean(1), hidden.amax(1)], 1)


def find_transforms(flat: Tensor, shape: tuple[int, ...]) -> list[Transform]:
    """Choose transforms by the shape of a sample.

    Args:
        flat: ``(n, D)`` real samples.
        shape: shape of one sample, such as ``(3, 32, 32)``, before it was flattened.

    Returns:
        For images and long vectors the spectrum; for sequences ``(length, channels)`` the spectrum
        along the length, and features without order; for short vectors standardised columns.
    """
    if len(shape) == 3 and min(shape[1:]) >= LEAST_LENGTH:
        return [ImageSpectrum.from_samples(flat, shape)]
    if len(shape) == 2 and min(shape) >= 1 and flat.shape[1] > MOST_COLUMNS:
        return _find_sequence_transforms(flat, (shape[0], shape[1]))
    if flat.shape[1] > MOST_COLUMNS:
        return [Spectrum((flat.shape[1],), 1)]
    sd = flat.std(0, correction=0)
    varying = sd[sd > 0]
    if len(varying) == 0 or float(varying.max() / varying.min()) < UNEQUAL_COLUMNS:
        return []
    return [Standardised(torch.where(sd > 0, sd, torch.ones_like(sd)))]


def _find_sequence_transforms(flat: Tensor, shape: tuple[int, int]) -> list[Transform]:
    """Spectrum along a sequence, and features without order if a step has several numbers.

    Steps lie along the longer axis, except where each row is a word: numbers that are not negative
    and have a sum of 1.
    """
    samples = flat.reshape(-1, *shape)
    are_words = bool((samples >= 0).all()) and torch.allclose(
        samples.sum(2), samples.new_ones(()), atol=1e-3
    )
    channels = 2 if are_words or shape[0] >= shape[1] else 1
    length = shape[0] if channels == 2 else shape[1]
    found: list[Transform] = []
    if length >= LEAST_LENGTH:
        found.append(Spectrum(shape, 3 - channels))
    if min(shape) > 1:
        points = _to_points(flat, shape, channels).flatten(0, 1)
        sd = points.std(0, correction=0)
        found.append(
            PointSet(shape, channels, points.mean(0), torch.where(sd > 0, sd, torch.ones_like(sd)))
        )
    return found


def _to_points(flat: Tensor, shape: tuple[int, int], channels: int) -> Tensor:
    """Samples as ``(n, points, c)``."""
    samples = flat.reshape(-1, *shape)
    return samples if channels == 2 else samples.transpose(1, 2)
