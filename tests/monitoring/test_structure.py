"""Tests of the transforms: what they ignore, and which of them samples of a shape get."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from gandiag.monitoring.structure import (
    ImageSpectrum,
    PointSet,
    Spectrum,
    Standardised,
    find_transforms,
)

Normal = Callable[..., Tensor]


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 16, 16), (2, 9, 12)])
def test_image_spectrum_equals_fft(normal: Normal, shape: tuple[int, ...]) -> None:
    """The products of matrices have the amplitudes of the lowest frequencies of an FFT."""
    images = normal((5, *shape))
    found = ImageSpectrum.from_samples(images.flatten(1), shape)(images.flatten(1)).square()
    waves = torch.fft.fft2(images).abs()
    rows, columns = (min(8, side // 2 + 1) for side in shape[1:])
    with_rows = waves[..., :rows, :columns]
    against = waves[..., -torch.arange(rows) % shape[1], :columns]
    both = torch.cat([with_rows, against], -1).flatten(1)
    # The transforms list the frequencies in another order for rows that run backwards.
    assert torch.allclose(found.sort(1).values, both.sort(1).values, atol=1e-3)


def test_spectra_ignore_place_and_phase(normal: Normal) -> None:
    """Images and series that are rolled along their axes have the same spectrum."""
    images, series = normal((4, 2, 12, 12)), normal((4, 20, 3))
    (of_images,) = find_transforms(images.flatten(1), (2, 12, 12))
    moved = images.roll((3, 5), (2, 3))
    assert torch.allclose(of_images(moved.flatten(1)), of_images(images.flatten(1)), atol=1e-3)
    of_series, _ = find_transforms(series.flatten(1), (20, 3))
    later = series.roll(7, 1)
    assert torch.allclose(of_series(later.flatten(1)), of_series(series.flatten(1)), atol=1e-3)


def test_sets_ignore_order(normal: Normal) -> None:
    """Clouds whose points are shuffled have the same features; other clouds have not."""
    clouds = normal((6, 30, 3))
    _, of_sets = find_transforms(clouds.flatten(1), (30, 3))
    shuffled = clouds[:, torch.randperm(30)]
    assert torch.allclose(of_sets(shuffled.flatten(1)), of_sets(clouds.flatten(1)), atol=1e-4)
    assert not torch.allclose(of_sets(clouds.flip(0).flatten(1)), of_sets(clouds.flatten(1)))


def test_words_lie_along_the_last_axis(normal: Normal) -> None:
    """One-hot words are told from channels by their sums, whichever axis is longer."""
    words = torch.eye(40)[torch.randint(40, (8, 12))]
    transforms = find_transforms(words.flatten(1), (12, 40))
    assert [t.channels for t in transforms if isinstance(t, PointSet)] == [2]
    channels = find_transforms(normal((8, 12 * 40)), (12, 40))
    assert [t.channels for t in channels if isinstance(t, PointSet)] == [1]


@pytest.mark.parametrize(
    ("shape", "kinds"),
    [
        ((3, 32, 32), [ImageSpectrum]),
        ((1, 128), [Spectrum]),
        ((200,), [Spectrum]),
        ((96, 3), [Spectrum, PointSet]),
        ((2,), []),
        ((), []),
    ],
)
def test_shape_decides(normal: Normal, shape: tuple[int, ...], kinds: list[type]) -> None:
    """Images and long vectors get a spectrum, sets two transforms, equal columns none."""
    size = int(torch.tensor(shape or (4,)).prod())
    assert [type(t) for t in find_transforms(normal((40, size)), shape)] == kinds


def test_unequal_columns_are_standardised(normal: Normal) -> None:
    """Columns whose units differ get a standard deviation of 1; constant ones stay 0."""
    table = normal((400, 3)) * torch.tensor([1.0, 1e5, 0.0])
    (transform,) = find_transforms(table, (3,))
    assert isinstance(transform, Standardised)
    assert torch.allclose(
        transform(table).std(0, correction=0), torch.tensor([1.0, 1.0, 0.0]), atol=1e-5
    )
