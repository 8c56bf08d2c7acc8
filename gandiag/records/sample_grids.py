"""Sample grids on disk: a PNG file for images, the coordinates as a .npy file for points."""

from __future__ import annotations

import io
import math
import re
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gandiag.records.storage import write_file

# Names of the grids of generated samples; other files in the folder are none of gandiag's.
_NAME = re.compile(r"step-([0-9]{1,15})\.(?:png|npy)")
#: Most pixels of a grid. A grid of 64 RGB images of 512 x 512, larger than any that gandiag
#: writes, has 17 million; ten bytes of a PNG can say 4 billion.
MAX_PIXELS = 2**25
#: Most bytes of a file: two of each pixel above; those of gandiag have a few hundred thousand.
MAX_FILE = 2**26

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


def list_sample_grids(folder: Path) -> list[tuple[int, Path]]:
    """Sample grids of the generator as pairs of step and file, oldest first."""
    found = [
        (match, path) for path in folder.glob("step-*") if (match := _NAME.fullmatch(path.name))
    ]
    return sorted((int(match[1]), path) for match, path in found)


def read_picture(path: Path) -> tuple[bytes, Image.Image]:
    """Read a grid of images: the bytes of its file, and the decoded picture.

    Raises:
        OSError: the file cannot be read, or it leads out of the run's folder.
        ValueError: the file is no PNG, or a damaged one.
    """
    data = read_inside(path)
    try:
        with warnings.catch_warnings():
            # Pillow warns of large pictures; the limit below is lower.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            picture = Image.open(io.BytesIO(data), formats=["PNG"])
            if math.prod(picture.size) > MAX_PIXELS:
                raise ValueError(f"more than {MAX_PIXELS} pixels")
            picture.load()
    except (ValueError, OSError):
        raise
    except Exception as error:  # Pillow raises many types of errors on damaged files
        raise ValueError(f"not a picture: {error}") from error
    return data, picture


def read_points(path: Path) -> NDArray[np.float64]:
    """Read a grid of points, ``(n, d)`` float64.

    Raises:
        OSError: the file cannot be read, or it leads out of the run's folder.
        ValueError: the file holds no points.
    """
    try:
        points = np.load(io.BytesIO(read_inside(path)), allow_pickle=False)
    except (OSError, ValueError):
        raise
    except Exception as error:  # a header may say a shape that no memory can hold
        raise ValueError(f"no array: {error}") from error
    if not isinstance(points, np.ndarray):  # numpy opens a zip file as a mapping of arrays
        raise ValueError("no array")
    if points.ndim != 2 or points.dtype.kind not in "iuf" or points.shape[1] < 1:
        raise ValueError(f"no points: {points.dtype} {points.shape}")
    return points.astype(np.float64)


def read_inside(path: Path) -> bytes:
    """Read a file of a run's folder; a link that leads out of the folder is not followed.

    Raises:
        OSError: the file cannot be read, or it is such a link.
    """
    folder = path.parent.parent if path.parent.name == "samples" else path.parent
    # A third-party run must not show other files of this computer. A named pipe would block.
    if not path.resolve().is_relative_to(folder.resolve()) or not path.is_file():
        raise FileNotFoundError(2, "no such file in the folder of the run", str(path))
    with path.open("rb") as file:
        data = file.read(MAX_FILE + 1)
    if len(data) > MAX_FILE:
        raise OSError(27, "too large", str(path))
    return data


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
