"""Scatter plots of two-dimensional samples over the real data."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gandiag.reports.figures.style import MUTED, ORANGE, RED, Picture, as_png, as_svg, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


Points = NDArray[np.floating[Any]]

SCATTER_CAPTION = (
    "Orange crosses are samples, grey dots are real data; both should cover the same regions."
)
MAX_POINTS = 1000  # points of each sort; with more, single points cannot be seen
VIEW_MARGIN = 0.3  # margin around the real data on each side, as a fraction of their extent


def draw_scatter(points: Points, real: Points, name: str, title: str) -> Picture:
    """Draw samples over real points as SVG.

    All scatter plots over the same real data have the same scale, so that they can be compared.

    Args:
        points: samples, shape ``(n, d)``; the first two coordinates are drawn.
        real: real points, shape ``(m, d)``.
        name: id of the figure, unique in its page.
        title: title of the figure; may be empty.
    """
    caption = SCATTER_CAPTION
    with new_figure(2.4, 2.4) as figure:
        outside = _draw_points(figure, points, real, title)
        if outside:
            caption += f" Outside the view, drawn red at its edge: {outside}."
        count = int((~np.isfinite(points)).any(axis=1).sum())
        if count:
            caption += f" Not drawn, as not finite: {count}."
        return Picture(as_svg(figure, name, f"{title} {caption}".strip()), caption)


def draw_scatter_png(points: Points, real: Points, title: str) -> bytes:
    """Draw samples over real points as PNG, for programs that show no SVG."""
    with new_figure(3.6, 3.6) as figure:
        _draw_points(figure, points, real, title)
        return as_png(figure)


def _draw_points(figure: Figure, points: Points, real: Points, title: str) -> int:
    """Draw both, and return the number of samples outside the view."""
    import seaborn

    axes = figure.subplots()
    behind, drawn = _project(real), _project(points)
    # The view follows the real data: a few far samples must not shrink everything else.
    low, high = _choose_view(behind if behind.size else drawn)
    kept = np.clip(drawn, low, high)
    inside = (kept == drawn).all(axis=0)
    styles: tuple[tuple[Points, dict[str, Any]], ...] = (
        (behind[:, :MAX_POINTS], {"color": MUTED, "alpha": 0.45, "s": 12}),
        (kept[:, inside][:, :MAX_POINTS], {"color": ORANGE, "marker": "X", "s": 22}),
        (
            kept[:, ~inside][:, :MAX_POINTS],
            {"color": RED, "marker": "X", "s": 22, "clip_on": False},
        ),
    )
    for (x, y), style in styles:
        seaborn.scatterplot(x=x, y=y, ax=axes, legend=False, linewidth=0, **style)
    axes.set(xlim=(low, high), ylim=(low, high), aspect="equal", title=title, xlabel="", ylabel="")
    axes.set(xticklabels=[], yticklabels=[])
    return int((~inside).sum())


def _choose_view(points: Points) -> tuple[float, float]:
    """Choose one range for both axes that contains all points, with a margin."""
    if not points.size:
        return -1.0, 1.0
    low, high = float(points.min()), float(points.max())
    margin = VIEW_MARGIN * (high - low) or 1.0  # a single point needs a view, too
    return low - margin, high + margin


def _project(points: Points) -> Points:
    """First two coordinates of the finite points, shape ``(2, n)``; a missing one is 0."""
    flat = points.reshape(len(points), math.prod(points.shape[1:]))
    flat = flat[np.isfinite(flat).all(axis=1)]
    if flat.shape[1] < 2:
        flat = np.pad(flat, ((0, 0), (0, 2 - flat.shape[1])))
    return flat[:, :2].T
