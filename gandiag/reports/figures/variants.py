"""Arms of a comparison in one figure each: how often they fail, and what quality costs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gandiag.records.record import Signal
from gandiag.reports.figures.style import BLUE, INK, MUTED, ORANGE, Picture, as_svg, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes


ROW_HEIGHT = 0.3  # inches of an arm's row
NAME_SIZE = (0.4, 0.055)
DASHES: Sequence[str | tuple[int, tuple[int, ...]]] = (
    "-",
    (0, (5, 2)),
    (0, (1, 1)),
    (0, (5, 1, 1, 1)),
)


class Interval(NamedTuple):
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float


class CostPoint(NamedTuple):
    """An arm's place in a plane."""

    name: str
    cost: Interval
    distance: Interval


def draw_failure_rates(
    arms: Sequence[str], rates: Mapping[str, Sequence[Interval]], name: str
) -> Picture:
    """Draw the share of runs in which each condition is present, a panel each.

    Args:
        arms: their names, the untreated one first.
        rates: by condition, an interval for each arm in [0, 1].
        name: id of the figure, unique in its page.
    """
    with new_figure(9.4, 0.95 + ROW_HEIGHT * len(arms)) as figure:
        panels = figure.subplots(1, len(rates), sharey=True, squeeze=False)[0]
        rows = np.arange(len(arms))[::-1]
        for axes, (condition, found) in zip(panels, rates.items(), strict=True):
            for row, arm, rate in zip(rows, arms, found, strict=True):
                colour = ORANGE if arm == arms[0] else BLUE
                axes.plot([rate.low, rate.high], [row, row], color=colour, linewidth=3, alpha=0.4)
                axes.plot(rate.value, row, "o", color=colour, markersize=5)
            axes.set(xlim=(-0.04, 1.04), ylim=(-0.6, len(arms) - 0.4), title=condition)
            axes.set_xticks([0, 0.5, 1], ["0 %", "50 %", "100 %"])
            axes.set_yticks(rows, arms)
            axes.tick_params(length=0)
            axes.grid(visible=False, axis="y")
        caption = (
            "Share of the runs in which each condition is present: a point, and its 95 % interval. "
            "Orange is the untreated game; further to the left is better."
        )
        return Picture(as_svg(figure, name, caption), caption)


def draw_cost(spots: Sequence[CostPoint], distance: str, name: str) -> Picture | None:
    """Draw each arm's distance to the data over what a step costs; None where nothing is finite.

    Args:
        spots: the untreated arm first.
        distance: what it is.
        name: id of the figure, unique in its page.
    """
    drawn = [s for s in spots if math.isfinite(s.cost.value) and math.isfinite(s.distance.value)]
    if not drawn:
        return None
    with new_figure(4.6, 3.2) as figure:
        axes = figure.subplots()
        for spot in drawn:
            colour = ORANGE if spot is spots[0] else BLUE
            x, y = spot.cost.value, spot.distance.value
            axes.plot(_clip_interval(spot.cost), [y, y], color=colour, linewidth=1, alpha=0.6)
            axes.plot([x, x], _clip_interval(spot.distance), color=colour, linewidth=1, alpha=0.6)
            axes.plot(x, y, "o", color=colour, markersize=5)
        if min(spot.distance.low for spot in drawn) > 0:
            axes.set_yscale("log")
        axes.margins(x=0.25, y=0.15)
        axes.set(xlabel="seconds a step, over the untreated game's", title="Quality against cost")
        axes.set_ylabel(distance, fontsize=7.5)
        _write_names(axes, drawn)
        lost = [spot.name for spot in spots if spot not in drawn]
        caption = "Medians over seeds with 95 % intervals; further down and to the left is better."
        caption += f" Not finite, so not drawn: {', '.join(lost)}." if lost else ""
        return Picture(as_svg(figure, name, caption), caption)


def draw_distance(courses: Mapping[str, Signal], distance: str, level: float, name: str) -> Picture:
    """Draw the distance to the data over steps, median over seeds.

    Args:
        courses: by arm, the untreated one first.
        distance: what it is.
        level: the untreated game's best, as a line.
        name: id of the figure, unique in its page.
    """
    with new_figure(4.6, 3.2) as figure:
        axes = figure.subplots()
        for index, (arm, (steps, values)) in enumerate(courses.items()):
            finite = np.where(np.isfinite(values), values, np.nan)
            colour = ORANGE if index == 0 else BLUE
            dashes = DASHES[max(index - 1, 0) % len(DASHES)]
            axes.plot(steps, finite, color=colour, linestyle=dashes, label=arm)
        if math.isfinite(level):
            axes.axhline(level, color=MUTED, linewidth=0.8)
        if all(np.nanmin(values, initial=math.inf) > 0 for _, values in courses.values()):
            axes.set_yscale("log")
        axes.set(xlabel="generator step", title="Distance to the data")
        axes.set_ylabel(distance, fontsize=7.5)
        axes.grid(visible=False, axis="x")
        figure.legend(loc="outside lower center", ncols=min(3, len(courses)), fontsize=7.5)
        caption = (
            "Median over seeds, where it is finite. The grey line is the best that the untreated "
            "game reached, median over seeds: what counts as reached quality."
        )
        return Picture(as_svg(figure, name, caption), caption)


def _write_names(axes: Axes, spots: Sequence[CostPoint]) -> None:
    """Write each arm's name beside its place, towards the middle, and below one that is in the way.

    Places are fractions of the panel, in which names take about `NAME_SIZE` of its width and height.
    """
    axes.autoscale_view()  # else the panel's ends are not known yet
    to_panel = axes.transData + axes.transAxes.inverted()
    taken: list[tuple[float, float]] = []
    for spot in sorted(spots, key=lambda spot: -spot.distance.value):
        x, y = to_panel.transform((spot.cost.value, spot.distance.value))
        height = y + NAME_SIZE[1] / 2
        while any(
            abs(x - at) < NAME_SIZE[0] and abs(height - up) < NAME_SIZE[1] for at, up in taken
        ):
            height -= NAME_SIZE[1]
        taken.append((x, height))
        side, shift = ("left", 0.015) if x < 0.5 else ("right", -0.015)
        axes.text(
            x + shift, height, spot.name, transform=axes.transAxes, ha=side, va="center",
            color=INK, fontsize=7.5,
        )  # fmt: skip


def _clip_interval(interval: Interval) -> list[float]:
    """Ends of an interval; the value itself in place of an infinite one."""
    ends = (interval.low, interval.high)
    return [end if math.isfinite(end) else interval.value for end in ends]
