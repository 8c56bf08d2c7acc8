"""The game in a plane as a chart that a cursor moves through, made by Bokeh."""

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


def build_plane_document(looks: Sequence[PlaneFrame], real: Points) -> dict[str, Any]:
    """The plane as what ``Bokeh.embed.embed_item`` takes, with every look in a source of its own.

    That source, called ``looks``, has a row a look; the page's script copies one into the sources
    ``field``, ``path``, ``fake`` and ``pull``, which are drawn.
    """
    from bokeh.models import ColumnDataSource, LinearColorMapper
    from bokeh.plotting import figure
    from matplotlib.colors import to_hex

    low, high = looks[0].view
    plot = figure(
        x_range=(low, high),
        y_range=(low, high),
        aspect_ratio=1,
        sizing_mode="stretch_width",
        tools="",
        toolbar_location=None,
    )
    plot.background_fill_color = plot.border_fill_color = None  # the page's own, light or dark
    plot.grid.visible = False
    plot.axis.minor_tick_line_color = None
    sources = {
        "field": ColumnDataSource({"image": []}, name="field"),
        "path": ColumnDataSource({"x": [], "y": []}, name="path"),
        "pull": ColumnDataSource({"x": [], "y": [], "x1": [], "y1": []}, name="pull"),
        "fake": ColumnDataSource({"x": [], "y": []}, name="fake"),
    }
    mapper = LinearColorMapper(
        [to_hex(build_colour_map()(shade)) for shade in range(256)], low=0, high=255
    )
    size = high - low
    place = {"x": low, "y": low, "dw": size, "dh": size}
    plot.image("image", source=sources["field"], color_mapper=mapper, **place)
    plot.multi_line("x", "y", source=sources["path"], line_color=PATHS_COLOUR, line_alpha=0.6)
    plot.scatter(real[:, 0], real[:, 1], size=4, color=REAL_POINTS_COLOUR, alpha=0.7)
    plot.segment("x", "y", "x1", "y1", source=sources["pull"], line_color=SAMPLES_COLOUR)
    plot.scatter(
        "x", "y", source=sources["fake"], marker="x", size=7, color=SAMPLES_COLOUR, line_width=1.5
    )
    kept = ColumnDataSource(_pack_frames(looks), name="looks")
    plot.tags = [kept]
    return embed_model(plot)


def _pack_frames(looks: Sequence[PlaneFrame]) -> dict[str, list[Any]]:
    """A row a look: numbers of a byte for the field, of four for all else."""

    def short(values: NDArray[Any]) -> NDArray[np.float32]:
        return np.ascontiguousarray(values, np.float32)

    seen = [np.clip(look.fakes, *look.view) for look in looks]  # those outside, at the edge
    pulls = scale_arrows(looks)
    ends = [look.fakes[: len(pull)] + pull for look, pull in zip(looks, pulls, strict=True)]
    closed = [np.concatenate([look.paths, look.paths[:, :1]], 1) for look in looks]
    return {
        "step": [look.step for look in looks],
        "image": [np.nan_to_num(look.field * 255).round().astype(np.uint8) for look in looks],
        "x": [short(fakes[:, 0]) for fakes in seen],
        "y": [short(fakes[:, 1]) for fakes in seen],
        "x1": [short(end[:, 0]) for end in ends],
        "y1": [short(end[:, 1]) for end in ends],
        "path_x": [[short(path[:, 0]) for path in paths] for paths in closed],
        "path_y": [[short(path[:, 1]) for path in paths] for paths in closed],
    }
