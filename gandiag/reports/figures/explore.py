"""Bokeh charts to explore a run: several signals over steps, with one common cursor.

The charts are written without data. A page contains each signal once, as packed numbers, and its
script ``explore.js`` fills the charts.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gandiag.diagnosis.diagnosis import Diagnosis
from gandiag.monitoring.signals import (
    AUC,
    DISCRIMINATOR_LOSS,
    GENERATOR_LOSS,
    P_REAL_OF_FAKE,
    P_REAL_OF_REAL,
)
from gandiag.records.record import Record
from gandiag.reports.figures.axes import choose_scale
from gandiag.reports.figures.curves import is_on_signal_scale
from gandiag.reports.figures.downsample import thin_curve
from gandiag.reports.figures.style import BLUE, GREEN, MUTED, ORANGE, RED
from gandiag.reports.formatting import format_signal

if TYPE_CHECKING:
    from bokeh.plotting import figure as Figure


CURSOR = "cursor"  # name of the vertical line that follows the chosen step
MAX_POINTS = 300  # points of a curve: one for every two pixels of a chart's width
MAX_CHARTS = 7  # including the last chart, whose signal the reader chooses
HEIGHT, LEGEND_ROW_HEIGHT = 166, 24  # pixels of a chart, and of each row of its legend
LEGEND_ROW_LETTERS = 40  # letters in a row of a legend, so that it fits a phone
MARGIN = 60  # pixels left of every chart, so that the step axes stand exactly below each other
MAX_TICKS = 4  # ticks on the vertical axis: more would overlap in a chart of this height
COLOURS = (BLUE, ORANGE, GREEN)
_CONTEXT = (
    ("Losses", (DISCRIMINATOR_LOSS, GENERATOR_LOSS)),
    ("The discriminator's P(real) and AUC", (P_REAL_OF_REAL, P_REAL_OF_FAKE, AUC)),
)


class Chart(NamedTuple):
    """A chart of one or more signals.

    Attributes:
        title: title of the chart.
        signals: names of up to three signals, one line each.
        threshold: value of a horizontal line, or None.
    """

    title: str
    signals: tuple[str, ...]
    threshold: float | None = None


def choose_charts(record: Record, diagnoses: Sequence[Diagnosis]) -> list[Chart]:
    """Choose the charts: evidence in the order of the diagnoses, then losses and P(real)."""
    evidence: dict[str, Chart] = {}
    for diagnosis in diagnoses:
        for item in diagnosis.evidence:
            if len(record[item.signal].steps) and is_on_signal_scale(record, diagnosis, item):
                chart = Chart(item.meaning, (item.signal,), item.threshold)
                evidence.setdefault(item.signal, chart)
    context = [
        Chart(title, tuple(name for name in signals if _is_recorded(record, name)))
        for title, signals in _CONTEXT
    ]
    context = [chart for chart in context if chart.signals]
    # One chart is left free for the signal that the reader chooses.
    return [*list(evidence.values())[: MAX_CHARTS - 1 - len(context)], *context]


def count_legend_columns(labels: Sequence[str]) -> int:
    """Number of labels that fit side by side in a legend on a phone, at least 1."""
    return max(1, LEGEND_ROW_LETTERS // max(1, *map(len, labels)))


def _is_recorded(record: Record, name: str) -> bool:
    return name in record.signals and record[name].values.ndim == 1


def pack_signals(record: Record) -> dict[str, dict[str, str]]:
    """Pack every scalar signal: base64 of little-endian int32 steps and float32 values.

    Long signals are thinned to `MAX_POINTS` points.
    """
    return {
        name: {"steps": pack_numbers(steps, "<i4"), "values": pack_numbers(values, "<f4")}
        for name, signal in sorted(record.signals.items())
        if signal.values.ndim == 1
        for steps, values in [thin_curve(signal.steps, signal.values, MAX_POINTS)]
    }


def pack_numbers(values: NDArray[Any], dtype: str) -> str:
    """Encode numbers as base64; a number too large for the dtype becomes infinite."""
    with np.errstate(over="ignore"):
        return base64.b64encode(np.ascontiguousarray(values, dtype).tobytes()).decode()


def build_bokeh_document(
    record: Record, charts: Sequence[Chart], onset: int | None
) -> dict[str, Any]:
    """The charts and a last empty one, as JSON for ``Bokeh.embed.embed_item``.

    Args:
        record: the recorded signals.
        charts: the charts, see `choose_charts`.
        onset: generator step of a dotted vertical line; None draws none.
    """
    from bokeh.layouts import column
    from bokeh.models import Range1d

    # All charts share one horizontal range, so that they move and zoom together.
    steps = Range1d(0, max(record.last_step, 1))
    # The bounds keep a reader from moving the charts beyond the run.
    steps.bounds = (0, max(record.last_step, 1))
    drawn = [*charts, Chart("", ("",))]
    plots = [
        _draw_empty_chart(record, chart, f"line-{i}", steps, onset) for i, chart in enumerate(drawn)
    ]
    return embed_model(column(*plots, sizing_mode="stretch_width"))


def embed_model(model: Any) -> dict[str, Any]:
    """A Bokeh model as JSON; equal models always give equal JSON."""
    from bokeh.embed import json_item

    return dict(_renumber(json_item(model), {}))


def read_bokeh_script() -> str:
    """Read Bokeh's core script, without widgets, tables and mathematical text."""
    from bokeh.resources import Resources

    return str(Resources(mode="inline", components=["bokeh"]).js_raw[0])


def _draw_empty_chart(
    record: Record, chart: Chart, name: str, steps: Any, onset: int | None
) -> Figure:
    """Draw a chart without data; the sources of its lines are named ``NAME-0``, ``NAME-1``, ..."""
    from bokeh.models import ColumnDataSource, Range1d, Span
    from bokeh.plotting import figure

    curves = [record[name].values for name in chart.signals]
    scale = choose_scale(curves, () if chart.threshold is None else (chart.threshold,))
    labels = [format_signal(signal) for signal in chart.signals]
    columns = count_legend_columns(labels)
    legend_rows = math.ceil(len(labels) / columns) if len(labels) > 1 else 0
    plot: Figure = figure(
        height=HEIGHT + LEGEND_ROW_HEIGHT * legend_rows,
        sizing_mode="stretch_width",
        title=chart.title,
        x_range=steps,
        y_axis_type="log" if scale is not None and scale.is_log else "linear",
        tools="xpan,xbox_zoom,reset",  # more would not fit beside a low chart
        toolbar_location="right",
        outline_line_color=None,
        min_border_left=MARGIN,
    )
    # A chart without data has no range of its own, so it gets the one of the recorded values.
    plot.y_range = Range1d(*(scale[1:] if scale is not None else (0.0, 1.0)))
    plot.name = name
    # Transparent, so that the light or dark page shows through.
    plot.background_fill_color = plot.border_fill_color = None
    plot.yaxis.ticker.desired_num_ticks = MAX_TICKS
    plot.axis.minor_tick_line_color = None
    plot.toolbar.logo = None
    plot.title.text_font_size, plot.title.offset = "11px", -MARGIN + 16  # fits a phone
    for index, colour in enumerate(COLOURS[: len(chart.signals)]):
        source = ColumnDataSource({"x": [], "y": []}, name=f"{name}-{index}")
        label = {"legend_label": labels[index]} if legend_rows else {}
        plot.line("x", "y", source=source, line_color=colour, line_width=1.5, **label)
    across, along = {"dimension": "width"}, {"dimension": "height"}
    if chart.threshold is not None:
        dashed = {"line_color": RED, "line_dash": "dashed"}
        plot.add_layout(Span(location=chart.threshold, **across, **dashed))
    if onset is not None:
        plot.add_layout(Span(location=onset, **along, line_color=MUTED, line_dash="dotted"))
    plot.add_layout(Span(location=0, **along, line_color=BLUE, line_width=2, name=CURSOR))
    if legend_rows:
        plot.add_layout(plot.legend[0], "below")
        plot.legend.orientation = "horizontal"
        plot.legend.ncols = columns
        plot.legend.location = "left"
        plot.legend.background_fill_color = None
        plot.legend.border_line_color = None
        plot.legend.label_text_font_size = "11px"
    return plot


def _renumber(value: Any, known: dict[str, str]) -> Any:
    """Replace the ids of models by ids that count from 0.

    Bokeh counts on over all models of a process, but the same report must give the same page.
    """
    if isinstance(value, Mapping):
        return {
            key: _assign_id(item, known)
            if key in ("id", "root_id", "target_id") and isinstance(item, str)
            else _renumber(item, known)
            for key, item in value.items()
        }
    return [_renumber(item, known) for item in value] if isinstance(value, list) else value


def _assign_id(name: str, known: dict[str, str]) -> str:
    return known.setdefault(name, f"b{len(known)}")
