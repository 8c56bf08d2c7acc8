"""Lists the pictures of a film: a run's sample grids in order, or the views of the plane."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from gandiag.records.record import Record
from gandiag.reports.figures.plane import (
    PlaneFrame,
    Points,
    draw_plane_png,
    read_plane_frames,
    scale_arrows,
)
from gandiag.reports.grid_pictures import render_grid_png
from gandiag.reports.page.gallery import find_real_grid, load_real_points


class Scene(NamedTuple):
    """A generator step and its picture.

    Attributes:
        step: generator step.
        draw: draws the picture; raises OSError or ValueError if the step's file is damaged. Only
            the selected steps of a long run are drawn.
    """

    step: int
    draw: Callable[[], Image.Image]


def list_scenes(record: Record, side: int) -> list[Scene]:
    """List the views of the plane if the probe `plane` recorded any; else the sample grids.

    Args:
        record: record of the run.
        side: largest width and height of a picture, in pixels.
    """
    views, real = read_plane_frames(record), find_real_grid(record)
    if views:
        real_points, arrows = load_real_points(real), scale_arrows(views)
        return [
            Scene(view.step, partial(_draw_plane, view, arrow, real_points, side))
            for view, arrow in zip(views, arrows, strict=True)
        ]
    grids = record.sample_grids()
    return [Scene(step, partial(_draw_grid, path, real, side)) for step, path in grids]


def draw_real_samples(record: Record, side: int) -> Image.Image | None:
    """Draw the grid of real samples; None if there is none, or if real points are in each scene."""
    real = find_real_grid(record)
    if real is None or real.suffix == ".npy":
        return None
    try:
        return _draw_grid(real, None, side)
    except (OSError, ValueError):  # a damaged file, or one that gandiag did not write
        return None


def _draw_plane(view: PlaneFrame, arrows: Points, real: Points, side: int) -> Image.Image:
    return _open_png(draw_plane_png(view, arrows, real, side), side)


def _draw_grid(path: Path, real: Path | None, side: int) -> Image.Image:
    return _open_png(render_grid_png(path, real), side)


def _open_png(png: bytes, side: int) -> Image.Image:
    """Open a picture in colour and shrink it to at most `side` pixels in width and height."""
    with Image.open(io.BytesIO(png)) as image:
        picture = image.convert("RGB")
    picture.thumbnail((side, side), Image.Resampling.LANCZOS)
    return picture
