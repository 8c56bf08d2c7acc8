"""What a film shows of a run: its sheets of samples one after another, or the plane."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from gandiag.records.record import Record
from gandiag.reports.figures.plane import Look, Points, arrows, looks_of, plane_png
from gandiag.reports.page.gallery import real_points, real_sheet
from gandiag.reports.pictures import png_of


class Scene(NamedTuple):
    """A step, and what draws its picture; that raises OSError or ValueError where it cannot."""

    step: int
    picture: Callable[[], Image.Image]


def scenes_of(record: Record, side: int) -> list[Scene]:
    """Every look at the plane, or every sheet where the samples are no points of one.

    Args:
        record: whose samples.
        side: pixels of a picture's longer side, at most.
    """
    looks, real = looks_of(record), real_sheet(record)
    if looks:
        behind, pulls = real_points(real), arrows(looks)
        return [_plane(*pair, behind, side) for pair in zip(looks, pulls, strict=True)]
    return [Scene(step, partial(_sheet, path, real, side)) for step, path in record.sample_grids()]


def real_picture(record: Record, side: int) -> Image.Image | None:
    """The real sheet; None where the real data are drawn behind the samples, or there is none."""
    real = real_sheet(record)
    if real is None or real.suffix == ".npy":
        return None
    try:
        return _sheet(real, None, side)
    except (OSError, ValueError):  # an interrupted or foreign file
        return None


def _plane(look: Look, pull: Points, real: Points, side: int) -> Scene:
    return Scene(look.step, lambda: _opened(plane_png(look, pull, real, side), side))


def _sheet(path: Path, real: Path | None, side: int) -> Image.Image:
    return _opened(png_of(path, real), side)


def _opened(png: bytes, side: int) -> Image.Image:
    """A picture in colour, no larger than `side` either way."""
    with Image.open(io.BytesIO(png)) as image:
        picture = image.convert("RGB")
    picture.thumbnail((side, side), Image.Resampling.LANCZOS)
    return picture
