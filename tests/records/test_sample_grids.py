"""Sample grids: pixels, layout and files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gandiag.records.sample_grids import GAP_GREY, GAP_PIXELS, tile_samples, write_sample_grid


def images(*values: float, channels: int = 1, side: int = 3) -> np.ndarray:
    """One constant image for each value."""
    return np.stack([np.full((channels, side, side), v, np.float32) for v in values])


@pytest.mark.parametrize(
    ("value", "pixel"),
    [(-1, 0), (1, 255), (0, 128), (-7, 0), (7, 255), (np.nan, 0), (np.inf, 255), (-np.inf, 0),
     (3e38, 255), (-3e38, 0)],
)  # fmt: skip
def test_values_become_pixels(value: float, pixel: int) -> None:
    """[-1, 1] is black to white; values outside are clipped, and NaN is black."""
    assert set(tile_samples(images(value)).ravel()) == {pixel}


@pytest.mark.parametrize(
    ("count", "rows", "columns"), [(1, 1, 1), (2, 1, 2), (5, 2, 3), (64, 8, 8)]
)
def test_grid_is_near_square(count: int, rows: int, columns: int) -> None:
    """Images lie in rows of a near-square grid with gaps between them."""
    grid = tile_samples(images(*np.ones(count)))
    assert grid.shape == (
        rows * (3 + GAP_PIXELS) - GAP_PIXELS,
        columns * (3 + GAP_PIXELS) - GAP_PIXELS,
    )
    assert (grid == 255).sum() == count * 9
    assert ((grid == 255) | (grid == GAP_GREY)).all()


def test_order_is_by_rows() -> None:
    """Images are placed from left to right, then down."""
    grid = tile_samples(images(-1, 0, 1, 1))
    assert [grid[0, 0], grid[0, -1], grid[-1, 0], grid[-1, -1]] == [0, 128, 255, 255]


def test_colour_channels_come_last() -> None:
    """Three channels become red, green and blue."""
    red = images(-1, channels=3)
    red[0, 0] = 1
    assert tile_samples(red)[0, 0].tolist() == [255, 0, 0]


def test_images_are_png(tmp_path: Path) -> None:
    """Images are written as a PNG with exactly the pixels of the grid."""
    samples = images(-1, 0.5, 1)
    path = write_sample_grid(tmp_path / "step-00000007", samples)
    assert path == tmp_path / "step-00000007.png"
    with Image.open(path) as image:
        np.testing.assert_array_equal(np.asarray(image), tile_samples(samples))
    assert list(tmp_path.iterdir()) == [path]


def test_points_are_coordinates(tmp_path: Path, normal: Callable[..., object]) -> None:
    """Points are written as their coordinates, NaN included, in a file that needs no pickle."""
    points = np.asarray(normal((9, 2)), np.float32)
    points[3, 1] = np.nan
    path = write_sample_grid(tmp_path / "real", points)
    assert path.suffix == ".npy"
    np.testing.assert_array_equal(np.load(path, allow_pickle=False), points)
