"""Figures of a comparison: failure rates, quality and cost of the baseline and of each fix."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gandiag.records.record import Signal
from gandiag.reports.figures.style import BLUE, INK, MUTED, ORANGE, Picture, as_svg, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes


ROW_HEIGHT = 0.3  # inches of one variant's row
NAME_SIZE = (0.4, 0.055)  # width and height of a name in the cost figure, fractions of its panel
# All fixes are blue, so that the baseline stands out; the line style tells them apart.
DASHES: Sequence[str | tuple[int, tuple[int, ...]]] = (
    "-",
    (0, (5, 2)),
    (0, (1, 1)),
    (0, (5, 1, 1, 1)),
)


class Interval(NamedTuple):
    """A value and the ends of its 95 % confidence interval."""

    value: float
    low: float
    high: float


class CostPoint(NamedTuple):
    """Cost and quality of one variant.

    Attributes:
        name: the variant's name.
        cost: seconds per generator step over those of the baseline.
        distance: distance of the samples from the data.
    """

    name: str
    cost: Interval
    distance: Interval


def draw_failure_rates(
    names: Sequence[str], rates: Mapping[str, Sequence[Interval]], figure_id: str
) -> Picture:
    """Draw the share of runs in which each failure is present, one panel for each failure.

    Args:
        names: names of the variants, the baseline first.
        rates: for each failure, the interval of each variant, in [0, 1].
        figure_id: id of the figure, unique in its page.
    """
    with new_figure(9.4, 0.95 + ROW_HEIGHT * len(names)) as figure:
        panels = figure.subplots(1, len(rates), sharey=True, squeeze=False)[0]
        rows = np.arange(len(names))[::-1]
        for axes, (condition, found) in zip(panels, rates.items(), strict=True):
            for row, name, rate in zip(rows, names, found, strict=True):
                colour = ORANGE if name == names[0] else BLUE
                axes.plot([rate.low, rate.high], [row, row], color=colour, linewidth=3, alpha=0.4)
                axes.plot(rate.value, row, "o", color=colour, markersize=5)
            axes.set(xlim=(-0.04, 1.04), ylim=(-0.6, len(names) - 0.4), title=condition)
            axes.set_xticks([0, 0.5, 1], ["0 %", "50 %", "100 %"])
            axes.set_yticks(rows, names)
            axes.tick_params(length=0)
            axes.grid(visible=False, axis="y")
        caption = (
            "Share of the runs in which each failure is present, with its 95 % interval. The "
            "baseline is orange. Further to the left is better."
        )
        return Picture(as_svg(figure, figure_id, caption), caption)


def draw_cost(points: Sequence[CostPoint], distance: str, figure_id: str) -> Picture | None:
    """Draw the distance from the data over the cost of a step; None if no variant is finite.

    Args:
        points: one for each variant, the baseline first.
        distance: name of the distance measure, for the axis.
        figure_id: id of the figure, unique in its page.
    """
    drawn = [p for p in points if math.isfinite(p.cost.value) and math.isfinite(p.distance.value)]
    if not drawn:
        return None
    with new_figure(4.6, 3.2) as figure:
        axes = figure.subplots()
        for point in drawn:
            colour = ORANGE if point is points[0] else BLUE
            x, y = point.cost.value, point.distance.value
            axes.plot(_clip_interval(point.cost), [y, y], color=colour, linewidth=1, alpha=0.6)
            axes.plot([x, x], _clip_interval(point.distance), color=colour, linewidth=1, alpha=0.6)
            axes.plot(x, y, "o", color=colour, markersize=5)
        # An interval that ends at 0 has no place on a logarithmic axis.
        if min(point.distance.low for point in drawn) > 0:
            axes.set_yscale("log")
        # Wide margins leave room for the names beside the outermost points.
        axes.margins(x=0.25, y=0.15)
        axes.set(xlabel="seconds per step, over those of the baseline", title="Quality and cost")
        axes.set_ylabel(distance, fontsize=7.5)
        _write_names(axes, drawn)
        missing = [point.name for point in points if point not in drawn]
        caption = "Medians over seeds with 95 % intervals. Further down and to the left is better."
        caption += f" Not drawn, as not finite: {', '.join(missing)}." if missing else ""
        return Picture(as_svg(figure, figure_id, caption), caption)


def draw_distance(
    curves: Mapping[str, Signal], distance: str, level: float, figure_id: str
) -> Picture:
    """Draw the distance from the data over generator steps.

    Args:
        curves: median over seeds by name of the variant, the baseline first.
        distance: name of the distance measure, for the axis.
        level: least distance that the baseline reached, drawn as a line; NaN draws none.
        figure_id: id of the figure, unique in its page.
    """
    with new_figure(4.6, 3.2) as figure:
        axes = figure.subplots()
        for index, (name, (steps, values)) in enumerate(curves.items()):
            finite = np.where(np.isfinite(values), values, np.nan)
            colour = ORANGE if index == 0 else BLUE
            dashes = DASHES[max(index - 1, 0) % len(DASHES)]
            axes.plot(steps, finite, color=colour, linestyle=dashes, label=name)
        if math.isfinite(level):
            axes.axhline(level, color=MUTED, linewidth=0.8)
        if all(np.nanmin(values, initial=math.inf) > 0 for _, values in curves.values()):
            axes.set_yscale("log")
        axes.set(xlabel="generator step", title="Distance from the data")
        axes.set_ylabel(distance, fontsize=7.5)
        axes.grid(visible=False, axis="x")
        figure.legend(loc="outside lower center", ncols=min(3, len(curves)), fontsize=7.5)
        caption = (
            "Median over seeds, where it is finite. The grey line is the least distance that the "
            "baseline reached (median over seeds): quality counts as reached below it."
        )
        return Picture(as_svg(figure, figure_id, caption), caption)


def _write_names(axes: Axes, points: Sequence[CostPoint]) -> None:
    """Write the name of each variant beside its point, such that no two names overlap.

    Names stand on the side of the point where the panel has more room. From the highest point
    down, a name that would overlap an earlier one moves down by its own height.
    """
    axes.autoscale_view()  # matplotlib computes the axis limits only when it draws
    to_panel = axes.transData + axes.transAxes.inverted()  # from data to fractions of the panel
    width, height = NAME_SIZE
    taken: list[tuple[float, float]] = []
    for point in sorted(points, key=lambda point: -point.distance.value):
        x, y = to_panel.transform((point.cost.value, point.distance.value))
        y += height / 2
        while any(abs(x - left) < width and abs(y - up) < height for left, up in taken):
            y -= height
        taken.append((x, y))
        side, shift = ("left", 0.015) if x < 0.5 else ("right", -0.015)
        axes.text(
            x + shift, y, point.name, transform=axes.transAxes, ha=side, va="center",
            color=INK, fontsize=7.5,
        )  # fmt: skip


def _clip_interval(interval: Interval) -> list[float]:
    """Ends of an interval; the value itself in place of an infinite one."""
    ends = (interval.low, interval.high)
    return [end if math.isfinite(end) else interval.value for end in ends]
