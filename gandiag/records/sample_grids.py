"""Sample sheets on disk: a PNG of images, or the numbers themselves for points."""

from __future__ import annotations

import io
import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gandiag.records.storage import write_file

GAP = 2  # pixels between two images
MIDDLE = 128  # grey of the gaps


def write_grid(stem: Path, samples: NDArray[np.float32]) -> Path:
    """Write ``(n, channels, height, width)`` images in [-1, 1] as PNG, ``(n, d)`` points as .npy.

    Non-finite pixels are shown black.

    Returns:
        The file, `stem` with its suffix.
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
    """Lay images out in a near-square grid.

    Returns:
        ``(H, W)`` for one channel, ``(H, W, 3)`` for three, 0 to 255.
    """
    finite = np.nan_to_num(samples, nan=-1.0, posinf=1.0, neginf=-1.0)
    pixels = ((np.clip(finite, -1, 1) + 1) * 127.5).round().astype(np.uint8)
    count, channels, height, width = pixels.shape
    columns = math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    shape = (rows * (height + GAP) - GAP, columns * (width + GAP) - GAP, channels)
    sheet = np.full(shape, MIDDLE, np.uint8)
    for index in range(count):
        top, left = (index // columns) * (height + GAP), (index % columns) * (width + GAP)
        sheet[top : top + height, left : left + width] = pixels[index].transpose(1, 2, 0)
    return sheet[..., 0] if channels == 1 else sheet[..., :3]
