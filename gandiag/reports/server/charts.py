"""The charts of the live dashboard: the signals of one run, or one signal of several runs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
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
from gandiag.reports.figures.explore import LEGEND_ROW_HEIGHT, count_legend_columns
from gandiag.reports.formatting import format_signal

if TYPE_CHECKING:
    from bokeh.plotting import figure as Figure


MAX_POINTS = 600  # points of a line: about one for each pixel of a chart's width
HEIGHT = 220  # pixels of a chart with one row of legend
ONSET = "onset"  # name of the vertical line at the first onset
# seaborn's "colorblind" palette, in an order in which neighbours differ strongly.
COLOURS = ("#0173b2", "#de8f05", "#029e73", "#d55e00", "#cc78bc", "#ca9161", "#56b4e9", "#949494")


class SignalGroup(NamedTuple):
    """Signals that are drawn in one chart.

    Attributes:
        signals: names of the signals.
        title: title of the chart; if empty, the registry's name of its only signal.
        is_log: whether the vertical axis is logarithmic, for signals that span decades.
    """

    signals: tuple[str, ...]
    title: str = ""
    is_log: bool = False


SIGNAL_GROUPS = (
    SignalGroup((DISCRIMINATOR_LOSS, GENERATOR_LOSS), "Losses"),
    SignalGroup((P_REAL_OF_REAL, P_REAL_OF_FAKE, AUC), "The discriminator's P(real) and AUC"),
    SignalGroup((SCORE_GAP,)),
    SignalGroup((EFFECTIVE_MODES, COVERAGE), "Diversity of the samples (1 for real data)"),
    SignalGroup((ENERGY_DISTANCE,)),
    SignalGroup((SCORE_GRADIENT,), is_log=True),
    SignalGroup(
        (DISCRIMINATOR_GRADIENT_NORM, GENERATOR_GRADIENT_NORM), "Gradient norms", is_log=True
    ),
    SignalGroup((RELATIVE_DISPLACEMENT,), is_log=True),
)


class ChartLine(NamedTuple):
    """A line of a chart: the run and signal that it shows, and its label in the legend."""

    run: str
    signal: str
    label: str


class DashboardChart(NamedTuple):
    """A chart with its lines."""

    title: str
    lines: tuple[ChartLine, ...]
    is_log: bool


def build_charts(records: Sequence[tuple[str, Record]]) -> tuple[DashboardChart, ...]:
    """Choose the charts of the recorded signals.

    One run gets a chart for each group of signals. Several runs get a chart for each signal, with a
    line for each run.

    Args:
        records: name and record of each run.
    """
    return tuple(chart for chart in _group_lines(records) if chart.lines)


def _group_lines(records: Sequence[tuple[str, Record]]) -> Iterator[DashboardChart]:
    for group in SIGNAL_GROUPS:
        if len(records) == 1:
            name, record = records[0]
            recorded = [signal for signal in group.signals if _is_recorded(record, signal)]
            lines = tuple(ChartLine(name, signal, format_signal(signal)) for signal in recorded)
            title = group.title or format_signal(group.signals[0])
            yield DashboardChart(title, lines, group.is_log)
            continue
        for signal in group.signals:
            names = [name for name, record in records if _is_recorded(record, signal)]
            lines = tuple(ChartLine(name, signal, name) for name in names)
            yield DashboardChart(format_signal(signal), lines, group.is_log)


def _is_recorded(record: Record, signal: str) -> bool:
    return signal in record.signals and record[signal].values.ndim == 1


def draw_empty_chart(chart: DashboardChart) -> Figure:
    """Draw a chart without data; the sources of its lines are named ``0``, ``1``, ..."""
    from bokeh.models import ColumnDataSource, Span
    from bokeh.plotting import figure

    columns = count_legend_columns([line.label for line in chart.lines])
    plot: Figure = figure(
        height=HEIGHT + LEGEND_ROW_HEIGHT * (math.ceil(len(chart.lines) / columns) - 1),
        sizing_mode="stretch_width",
        title=chart.title,
        x_axis_label="generator step",
        y_axis_type="log" if chart.is_log else "linear",
        tools="xpan,xbox_zoom,hover,reset",
        tooltips=[("step", "@x"), ("value", "@y{0.000a}")],
        background_fill_color=None,  # transparent: the page is light or dark
        border_fill_color=None,
        outline_line_color=None,
    )
    plot.toolbar.logo = None
    # A chart has at most as many lines as there are colours, see `MAX_RUNS` of the dashboard.
    for index, (line, colour) in enumerate(zip(chart.lines, COLOURS, strict=False)):
        source = ColumnDataSource({"x": [], "y": []}, name=str(index))
        plot.line(
            "x", "y", source=source, line_color=colour, line_width=1.5, legend_label=line.label
        )
    plot.add_layout(plot.legend[0], "below")
    plot.legend.orientation = "horizontal"
    plot.legend.ncols = columns
    plot.legend.location = "left"
    plot.legend.border_line_color = None
    plot.legend.background_fill_color = None
    # The legend is HTML, unlike the chart, so that it takes the colour of the page.
    plot.legend.stylesheets = [".bk-label { color: var(--ink) !important }"]
    plot.axis.minor_tick_line_color = None
    dotted = {"line_color": "#5a6472", "line_dash": "dotted", "line_width": 2}
    plot.add_layout(Span(dimension="height", name=ONSET, visible=False, **dotted))
    return plot


def fill_chart(
    plot: Figure, chart: DashboardChart, records: Mapping[str, Record], onset: int | None
) -> None:
    """Fill a chart with all recorded values, thinned, and mark the onset.

    A value that is not finite leaves a gap. Their number is added to the title.

    Args:
        plot: a figure from `draw_empty_chart`.
        chart: the chart of the figure.
        records: record of each run by name.
        onset: generator step of the vertical line; None hides the line.
    """
    non_finite = 0
    for index, line in enumerate(chart.lines):
        steps, values = records[line.run][line.signal]
        non_finite += int((~np.isfinite(values)).sum())
        steps, values = thin_curve(steps, values, MAX_POINTS)
        # An infinite value would leave the axis without a range.
        gaps = np.where(np.isfinite(values), values, np.nan)
        source = plot.select_one({"name": str(index)})
        source.data = {"x": steps.astype(np.float64), "y": gaps}
    count = f" ({non_finite} values are not finite)" if non_finite else ""
    plot.title.text = chart.title + count
    mark = plot.select_one({"name": ONSET})
    mark.location, mark.visible = onset, onset is not None
