"""Linked charts to explore a run with, made by Bokeh: one cursor over all of them.

The charts come empty: a page holds each signal once, as packed numbers, and its script fills them.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from itertools import compress
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gandiag.diagnosis.diagnosis import Diagnosis
from gandiag.records.record import Record
from gandiag.reports.figures.axes import choose_scale
from gandiag.reports.figures.curves import is_on_signal_scale
from gandiag.reports.figures.downsample import thin_curve
from gandiag.reports.figures.style import BLUE, GREEN, MUTED, ORANGE, RED

if TYPE_CHECKING:
    from bokeh.plotting import figure as Figure


CURSOR = "cursor"  # name of the line that follows the step
MAX_POINTS = 300  # of a curve: one for each two pixels
MAX_CHARTS = 7  # at most, with the one whose signal is chosen
HEIGHT, LEGEND_HEIGHT = 166, 30  # pixels of a chart, and of its legend
MARGIN = 60  # pixels beside a chart, the same for all: their axes stand below each other
MAX_TICKS = 4  # on an axis of a chart so low
COLOURS = (BLUE, ORANGE, GREEN)
_ALWAYS = (
    ("Losses", "loss/value/", ("discriminator", "generator")),
    (
        "The discriminator's P(real) and AUC",
        "confidence/",
        ("real/discriminator", "fake/discriminator", "auc/discriminator"),
    ),
)


class Chart(NamedTuple):
    """A chart of one or more signals.

    Attributes:
        title: what it shows.
        signals: up to three, drawn as a line each.
        threshold: a line across, or None.
    """

    title: str
    signals: tuple[str, ...]
    threshold: float | None = None


def choose_charts(record: Record, diagnoses: Sequence[Diagnosis]) -> list[Chart]:
    """What to show: evidence, that of present conditions first, then losses and confidence."""
    found: dict[str, Chart] = {}
    for diagnosis in diagnoses:
        for item in diagnosis.evidence:
            if len(record[item.signal].steps) and is_on_signal_scale(record, diagnosis, item):
                found.setdefault(item.signal, Chart(item.meaning, (item.signal,), item.threshold))
    always = [Chart(title, _keep_recorded(record, probe, ends)) for title, probe, ends in _ALWAYS]
    always = [chart for chart in always if chart.signals]
    return [*list(found.values())[: MAX_CHARTS - 1 - len(always)], *always]


def _keep_recorded(record: Record, probe: str, ends: Sequence[str]) -> tuple[str, ...]:
    names = [f"{probe}{end}" for end in ends]
    return tuple(n for n in names if n in record.signals and record[n].values.ndim == 1)


def label_signals(signals: Sequence[str]) -> list[str]:
    """What tells signals of one chart apart: the part of their names that differs.

    >>> labels_of(["loss/value/discriminator", "loss/value/generator"])
    ['discriminator', 'generator']
    >>> labels_of(["loss/value/generator"])
    ['loss/value/generator']
    """
    parts = [name.split("/") for name in signals]
    if len(signals) < 2 or len({len(each) for each in parts}) > 1:
        return list(signals)
    others = [len(set(column)) > 1 for column in zip(*parts, strict=True)]
    return ["/".join(compress(each, others)).replace("_", " ") for each in parts]


def pack_signals(record: Record) -> dict[str, dict[str, str]]:
    """Every scalar signal as base64 of little-endian int32 steps and float32 values, thinned."""
    return {
        name: {"steps": pack_numbers(steps, "<i4"), "values": pack_numbers(values, "<f4")}
        for name, signal in sorted(record.signals.items())
        if signal.values.ndim == 1
        for steps, values in [thin_curve(signal.steps, signal.values, MAX_POINTS)]
    }


def pack_numbers(values: NDArray[Any], kind: str) -> str:
    """Numbers as base64; what is too large for the kind becomes infinite."""
    with np.errstate(over="ignore"):
        return base64.b64encode(np.ascontiguousarray(values, kind).tobytes()).decode()


def build_bokeh_document(
    record: Record, charts: Sequence[Chart], onset: int | None
) -> dict[str, Any]:
    """The charts, and one whose signal is chosen, as what ``Bokeh.embed.embed_item`` takes."""
    from bokeh.layouts import column
    from bokeh.models import Range1d

    together = Range1d(0, max(record.last_step, 1))
    together.bounds = (0, max(record.last_step, 1))
    drawn = [*charts, Chart("", ("",))]
    plots = [
        _draw_empty_chart(record, chart, f"line-{i}", together, onset)
        for i, chart in enumerate(drawn)
    ]
    return embed_model(column(*plots, sizing_mode="stretch_width"))


def embed_model(model: Any) -> dict[str, Any]:
    """A model as plain data; the same one always gives the same."""
    from bokeh.embed import json_item

    return dict(_renumber(json_item(model), {}))


def read_bokeh_script() -> str:
    """Bokeh's own script, without widgets, tables and mathematics."""
    from bokeh.resources import Resources

    return str(Resources(mode="inline", components=["bokeh"]).js_raw[0])


def _draw_empty_chart(
    record: Record, chart: Chart, name: str, together: Any, onset: int | None
) -> Figure:
    """An empty chart; its lines' sources are called ``NAME-0``, ``NAME-1``, ..."""
    from bokeh.models import ColumnDataSource, Range1d, Span
    from bokeh.plotting import figure

    curves = [record[name].values for name in chart.signals]
    scale = choose_scale(curves, () if chart.threshold is None else (chart.threshold,))
    plot: Figure = figure(
        height=HEIGHT if len(chart.signals) == 1 else HEIGHT + LEGEND_HEIGHT,
        sizing_mode="stretch_width",
        title=chart.title,
        x_range=together,
        y_axis_type="log" if scale is not None and scale.is_log else "linear",
        tools="xpan,xbox_zoom,reset",  # more would not fit beside a chart so low
        toolbar_location="right",
        outline_line_color=None,
        min_border_left=MARGIN,
    )
    plot.y_range = Range1d(*(scale[1:] if scale is not None else (0.0, 1.0)))
    plot.name = name
    plot.background_fill_color = plot.border_fill_color = None  # the page's own, light or dark
    plot.yaxis.ticker.desired_num_ticks = MAX_TICKS
    plot.axis.minor_tick_line_color = None
    plot.toolbar.logo = None
    plot.title.text_font_size, plot.title.offset = "11px", -MARGIN + 16  # a long one fits a phone
    labels = label_signals(chart.signals)
    for index, colour in enumerate(COLOURS[: len(chart.signals)]):
        source = ColumnDataSource({"x": [], "y": []}, name=f"{name}-{index}")
        label = {} if len(chart.signals) < 2 else {"legend_label": labels[index]}
        plot.line("x", "y", source=source, line_color=colour, line_width=1.5, **label)
    across, along = {"dimension": "width"}, {"dimension": "height"}
    if chart.threshold is not None:
        dashed = {"line_color": RED, "line_dash": "dashed"}
        plot.add_layout(Span(location=chart.threshold, **across, **dashed))
    if onset is not None:
        plot.add_layout(Span(location=onset, **along, line_color=MUTED, line_dash="dotted"))
    plot.add_layout(Span(location=0, **along, line_color=BLUE, line_width=2, name=CURSOR))
    if len(chart.signals) > 1:
        plot.add_layout(plot.legend[0], "below")
        plot.legend.orientation = "horizontal"
        plot.legend.background_fill_color = None
        plot.legend.border_line_color = None
        plot.legend.label_text_font_size = "11px"
    return plot


def _renumber(value: Any, known: dict[str, str]) -> Any:
    """The same with ids that begin anew: Bokeh counts on from figure to figure in a process."""
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
