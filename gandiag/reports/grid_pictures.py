"""Sample grids as PNG, for reporters and servers that show a run while it trains."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from gandiag.records.record import Record
from gandiag.records.sample_grids import read_picture, read_points
from gandiag.reports.figures import draw_scatter_png
from gandiag.reports.page.gallery import find_real_grid, load_real_points


class GridPicture(NamedTuple):
    """A sample grid as a picture.

    Attributes:
        name: ``samples/generator`` or ``samples/real``.
        step: generator step; 0 for the real data.
        png: content of a PNG file.
        width: pixels.
        height: pixels.
    """

    name: str
    step: int
    png: bytes
    width: int
    height: int


def read_new_grids(folder: Path | None, shown: set[str]) -> Iterator[GridPicture]:
    """Yield the sample grids in a run's folder whose file names are not yet in `shown`.

    The names are added to `shown`. Points are drawn over the real points. Unreadable files are
    skipped.
    """
    if folder is None:
        return
    record = Record({}, folder=folder)
    real = find_real_grid(record)
    grids = [("samples/generator", step, path) for step, path in record.sample_grids()]
    if real is not None:
        grids.insert(0, ("samples/real", 0, real))
    for name, step, path in grids:
        if path.name not in shown:
            shown.add(path.name)  # also for unreadable files, which would fail each time
            try:
                png = render_grid_png(path, real)
                yield GridPicture(name, step, png, *_read_size(png))
            except (OSError, ValueError):  # a damaged file, or one that gandiag did not write
                continue


def render_grid_png(path: Path, real: Path | None) -> bytes:
    """Return a sample grid as PNG; points are drawn over those of the grid `real`.

    Args:
        path: a PNG of images, or a ``.npy`` file of points ``(n, d)``.
        real: the grid of real samples; None draws no real points.

    Raises:
        OSError: the file cannot be read.
        ValueError: the file is not a sample grid.
    """
    if path.suffix != ".npy":
        return read_picture(path)[0]
    points, behind = read_points(path), load_real_points(real)
    title = "real data" if path == real else f"step {int(path.stem.removeprefix('step-'))}"
    # The grid of real samples is drawn as the background only, without samples.
    return draw_scatter_png(points[:0] if path == real else points, behind, title)


def _read_size(png: bytes) -> tuple[int, int]:
    from PIL import Image

    with Image.open(io.BytesIO(png)) as image:
        return image.size
