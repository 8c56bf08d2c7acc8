"""The charts of a board: a line for each signal of one run, or for each run of a signal."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import repeat
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gandiag.monitoring.signals import (
    AUC,
    COVERAGE,
    DISCRIMINATOR_GRADIENT_NORM,
    DISCRIMINATOR_LOSS,
    EFFECTIVE_MODES,
    ENERGY_DISTANCE,
    GENERATOR_GRADIENT_NORM,
    GENERATOR_LOSS,
    P_REAL_OF_FAKE,
    P_REAL_OF_REAL,
    RELATIVE_DISPLACEMENT,
    SCORE_GAP,
    SCORE_GRADIENT,
)
from gandiag.records.record import Record
from gandiag.reports.figures import thin_curve
from gandiag.reports.figures.explore import label_signals

if TYPE_CHECKING:
    from bokeh.plotting import figure as Figure


MAX_POINTS = 600  # of a line: one for each pixel
HEIGHT, LEGEND_ROW_HEIGHT = (
    220,
    25,
)  # pixels of a chart, and of each line of its legend beyond the first
LEGEND_ROW_LETTERS = 40  # letters in a line of a legend, that it may fit a phone
ONSET = "onset"  # name of the line at the step since when something has been present
# seaborn's "colorblind" palette in an order in which neighbours are far apart
COLOURS = ("#0173b2", "#de8f05", "#029e73", "#d55e00", "#cc78bc", "#ca9161", "#56b4e9", "#949494")


class SignalGroup(NamedTuple):
    """Signals that belong in one chart, and whether its axis is logarithmic."""

    title: str
    signals: tuple[str, ...]
    log: bool = False


SIGNAL_GROUPS = (
    SignalGroup("Losses", (DISCRIMINATOR_LOSS, GENERATOR_LOSS)),
    SignalGroup(
        "The discriminator's P(real) and AUC",
        (
            P_REAL_OF_REAL,
            P_REAL_OF_FAKE,
            AUC,
        ),
    ),
    SignalGroup("Score gap of a critic", (SCORE_GAP,)),
    SignalGroup(
        "Variety of the samples, 1 for real data",
        (EFFECTIVE_MODES, COVERAGE),
    ),
    SignalGroup("Distance of the samples from the data", (ENERGY_DISTANCE,)),
    SignalGroup("Slope of G's loss at the scores", (SCORE_GRADIENT,), log=True),
    SignalGroup(
        "Norm of the gradient", (DISCRIMINATOR_GRADIENT_NORM, GENERATOR_GRADIENT_NORM), log=True
    ),
    SignalGroup("Motion of the samples over their spread", (RELATIVE_DISPLACEMENT,), log=True),
)


class ChartLine(NamedTuple):
    """A line of a chart: whose signal it shows, and what the legend calls it."""

    run: str
    signal: str
    label: str


class DashboardChart(NamedTuple):
    """A chart and its lines."""

    title: str
    lines: tuple[ChartLine, ...]
    log: bool


def build_charts(records: Sequence[tuple[str, Record]]) -> tuple[DashboardChart, ...]:
    """Charts of one run by group of signals, or of several by signal, of what was recorded."""
    return tuple(chart for chart in _group_lines(records) if chart.lines)


def _group_lines(records: Sequence[tuple[str, Record]]) -> Iterator[DashboardChart]:
    for group in SIGNAL_GROUPS:
        if len(records) == 1:
            name, record = records[0]
            known = [signal for signal in group.signals if _is_recorded(record, signal)]
            lines = tuple(map(ChartLine, repeat(name), known, label_signals(known)))
            yield DashboardChart(group.title, lines, group.log)
            continue
        for signal in group.signals:
            having = [name for name, record in records if _is_recorded(record, signal)]
            lines = tuple(ChartLine(name, signal, name) for name in having)
            yield DashboardChart(f"{group.title}: {signal}", lines, group.log)


def _is_recorded(record: Record, signal: str) -> bool:
    return signal in record.signals and record[signal].values.ndim == 1


def draw_empty_chart(chart: DashboardChart) -> Figure:
    """An empty chart, whose lines' sources are called ``0``, ``1``, ..."""
    from bokeh.models import ColumnDataSource, Span
    from bokeh.plotting import figure

    columns = max(1, LEGEND_ROW_LETTERS // max(len(line.label) for line in chart.lines))
    plot: Figure = figure(
        height=HEIGHT + LEGEND_ROW_HEIGHT * (math.ceil(len(chart.lines) / columns) - 1),
        sizing_mode="stretch_width",
        title=chart.title,
        x_axis_label="generator step",
        y_axis_type="log" if chart.log else "linear",
        tools="xpan,xbox_zoom,hover,reset",
        tooltips=[("step", "@x"), ("value", "@y{0.000a}")],
        background_fill_color=None,  # the page's own, light or dark
        border_fill_color=None,
        outline_line_color=None,
    )
    plot.toolbar.logo = None
    for index, (line, colour) in enumerate(zip(chart.lines, COLOURS, strict=False)):
        source = ColumnDataSource({"x": [], "y": []}, name=str(index))
        plot.line(
            "x", "y", source=source, line_color=colour, line_width=1.5, legend_label=line.label
        )
    plot.add_layout(plot.legend[0], "below")
    plot.legend.orientation = "horizontal"
    plot.legend.ncols = columns
    plot.legend.border_line_color = None
    plot.legend.background_fill_color = None
    plot.legend.stylesheets = [".bk-label { color: var(--ink) !important }"]  # it is no canvas
    plot.axis.minor_tick_line_color = None
    dotted = {"line_color": "#5a6472", "line_dash": "dotted", "line_width": 2}
    plot.add_layout(Span(dimension="height", name=ONSET, visible=False, **dotted))
    return plot


def fill_chart(
    plot: Figure, chart: DashboardChart, records: Mapping[str, Record], onset: int | None
) -> None:
    """Put into a chart all that its signals hold by now, thinned, and the onset as a line.

    Values that are not finite break a line, and are counted in the title.
    """
    strange = 0
    for index, line in enumerate(chart.lines):
        steps, values = records[line.run][line.signal]
        strange += int((~np.isfinite(values)).sum())
        steps, values = thin_curve(steps, values, MAX_POINTS)
        shown = np.where(np.isfinite(values), values, np.nan)
        source = plot.select_one({"name": str(index)})
        source.data = {"x": steps.astype(np.float64), "y": shown}
    noted = f" ({strange} values are not finite)" if strange else ""
    plot.title.text = chart.title + noted
    mark = plot.select_one({"name": ONSET})
    mark.location, mark.visible = onset, onset is not None
