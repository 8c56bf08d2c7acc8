"""Sample sheets as pictures, for what shows a run while it happens."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gandiag.records.record import Record
from gandiag.reports.figures import draw_scatter_png
from gandiag.reports.page.gallery import find_real_grid


class GridPicture(NamedTuple):
    """A sheet of samples as a picture.

    Attributes:
        name: what it is shown under.
        step: of the generator; 0 for the real data.
        png: the picture.
        width: pixels.
        height: pixels.
    """

    name: str
    step: int
    png: bytes
    width: int
    height: int


def read_new_grids(folder: Path | None, shown: set[str]) -> Iterator[GridPicture]:
    """The sheets in a run's folder whose names are not in `shown` yet; they are put into it.

    Points are drawn over the real ones. What cannot be read is left out.
    """
    if folder is None:
        return
    record = Record({}, folder=folder)
    real = find_real_grid(record)
    sheets = [("samples/generator", step, path) for step, path in record.sample_grids()]
    if real is not None:
        sheets.insert(0, ("samples/real", 0, real))
    for name, step, path in sheets:
        if path.name not in shown:
            shown.add(path.name)
            try:
                png = render_grid_png(path, real)
                yield GridPicture(name, step, png, *_read_size(png))
            except (OSError, ValueError):  # a file that somebody put there
                continue


def render_grid_png(path: Path, real: Path | None) -> bytes:
    """A sheet as PNG; points are drawn over those of the sheet `real`, if there is one.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no sheet.
    """
    if path.suffix != ".npy":
        return path.read_bytes()
    points = np.load(path, allow_pickle=False)
    behind = points[:0] if real is None else np.load(real, allow_pickle=False)
    title = "real data" if path == real else f"step {int(path.stem.removeprefix('step-'))}"
    return draw_scatter_png(points[:0] if path == real else points, behind, title)


def _read_size(png: bytes) -> tuple[int, int]:
    from PIL import Image

    with Image.open(io.BytesIO(png)) as image:
        return image.size
