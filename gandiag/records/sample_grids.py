"""Sample grids on disk: a PNG file for images, the coordinates as a .npy file for points."""

from __future__ import annotations

import io
import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gandiag.records.storage import write_file

GAP_PIXELS = 2  # between two images of a grid
GAP_GREY = 128  # 0 (black) to 255 (white): differs from black and from white backgrounds


def write_sample_grid(stem: Path, samples: NDArray[np.float32]) -> Path:
    """Write samples as one file, which appears as a whole or not at all.

    Args:
        stem: path of the file without its suffix.
        samples: ``(n, channels, height, width)`` images in [-1, 1] with 1 or 3 channels, written as
            PNG, or ``(n, d)`` points, written as .npy.

    Returns:
        The path of the file, with its suffix.
    """
    buffer = io.BytesIO()
    if samples.ndim == 4:
        Image.fromarray(tile_samples(samples)).save(buffer, "PNG")
        path = stem.with_suffix(".png")
    else:
        np.save(buffer, samples.astype(np.float32), allow_pickle=False)
        path = stem.with_suffix(".npy")
    write_file(path, buffer.getvalue())
    return path


def tile_samples(samples: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Arrange images in a near-square grid, row by row.

    Args:
        samples: ``(n, channels, height, width)`` images in [-1, 1]. Values outside the range are
            clipped; NaN is shown black.

    Returns:
        Pixels 0 to 255, ``(H, W)`` for one channel and ``(H, W, 3)`` for three.
    """
    finite = np.nan_to_num(samples, nan=-1.0, posinf=1.0, neginf=-1.0)
    pixels = ((np.clip(finite, -1, 1) + 1) * 127.5).round().astype(np.uint8)
    count, channels, height, width = pixels.shape
    columns = math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    down, right = height + GAP_PIXELS, width + GAP_PIXELS  # from one image to the next
    shape = (rows * down - GAP_PIXELS, columns * right - GAP_PIXELS, channels)
    grid = np.full(shape, GAP_GREY, np.uint8)
    for index in range(count):
        top, left = (index // columns) * down, (index % columns) * right
        grid[top : top + height, left : left + width] = pixels[index].transpose(1, 2, 0)
    return grid[..., 0] if channels == 1 else grid[..., :3]
