"""A Bokeh chart of training on points of a plane, which follows the cursor of a page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gandiag.reports.figures.explore import embed_model
from gandiag.reports.figures.plane import (
    PATHS_COLOUR,
    REAL_POINTS_COLOUR,
    SAMPLES_COLOUR,
    PlaneFrame,
    Points,
    build_colour_map,
    scale_arrows,
)


def build_plane_document(frames: Sequence[PlaneFrame], real: Points) -> dict[str, Any]:
    """A chart of the plane as JSON for ``Bokeh.embed.embed_item``.

    A source named ``frames`` has one row for each frame. The page's script copies a row into the
    sources ``field``, ``path``, ``fake`` and ``arrows``, which are drawn.

    Args:
        frames: at least one frame.
        real: real points, shape ``(n, 2)``.
    """
    from bokeh.models import ColumnDataSource, LinearColorMapper
    from bokeh.plotting import figure
    from matplotlib.colors import to_hex

    low, high = frames[0].view
    plot = figure(
        x_range=(low, high),
        y_range=(low, high),
        aspect_ratio=1,
        sizing_mode="stretch_width",
        tools="",
        toolbar_location=None,
    )
    # Transparent, so that the light or dark page shows through.
    plot.background_fill_color = plot.border_fill_color = None
    plot.grid.visible = False
    plot.axis.minor_tick_line_color = None
    sources = {
        "field": ColumnDataSource({"image": []}, name="field"),
        "path": ColumnDataSource({"x": [], "y": []}, name="path"),
        "arrows": ColumnDataSource({"x": [], "y": [], "x1": [], "y1": []}, name="arrows"),
        "fake": ColumnDataSource({"x": [], "y": []}, name="fake"),
    }
    colours = build_colour_map()
    mapper = LinearColorMapper([to_hex(colours(shade)) for shade in range(256)], low=0, high=255)
    size = high - low
    view = {"x": low, "y": low, "dw": size, "dh": size}
    plot.image("image", source=sources["field"], color_mapper=mapper, **view)
    plot.multi_line("x", "y", source=sources["path"], line_color=PATHS_COLOUR, line_alpha=0.6)
    plot.scatter(real[:, 0], real[:, 1], size=4, color=REAL_POINTS_COLOUR, alpha=0.7)
    plot.segment("x", "y", "x1", "y1", source=sources["arrows"], line_color=SAMPLES_COLOUR)
    cross = {"marker": "x", "size": 7, "color": SAMPLES_COLOUR, "line_width": 1.5}
    plot.scatter("x", "y", source=sources["fake"], **cross)
    # Tags carry the frames into the page, although no glyph draws them.
    plot.tags = [ColumnDataSource(_pack_frames(frames), name="frames")]
    return embed_model(plot)


def _pack_frames(frames: Sequence[PlaneFrame]) -> dict[str, list[Any]]:
    """One row for each frame: the field in bytes, everything else in float32, to save room."""

    def as_float32(values: NDArray[Any]) -> NDArray[np.float32]:
        return np.ascontiguousarray(values, np.float32)

    # Samples outside the view are drawn at its edge.
    samples = [np.clip(frame.fakes, *frame.view) for frame in frames]
    arrows = scale_arrows(frames)
    tips = [frame.fakes[: len(arrow)] + arrow for frame, arrow in zip(frames, arrows, strict=True)]
    closed = [np.concatenate([frame.paths, frame.paths[:, :1]], 1) for frame in frames]
    fields = [np.nan_to_num(frame.field * 255).round().astype(np.uint8) for frame in frames]
    return {
        "step": [frame.step for frame in frames],
        "image": fields,
        "x": [as_float32(points[:, 0]) for points in samples],
        "y": [as_float32(points[:, 1]) for points in samples],
        "x1": [as_float32(tip[:, 0]) for tip in tips],
        "y1": [as_float32(tip[:, 1]) for tip in tips],
        "path_x": [[as_float32(path[:, 0]) for path in paths] for paths in closed],
        "path_y": [[as_float32(path[:, 1]) for path in paths] for paths in closed],
    }
