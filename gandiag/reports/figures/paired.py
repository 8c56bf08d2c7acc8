"""A figure of one signal of two runs."""

from __future__ import annotations

from typing import NamedTuple

from gandiag.diagnosis.diagnosis import Evidence, humanize
from gandiag.records.record import Record
from gandiag.reports.figures.axes import describe_edge_marks, draw_curve, finish_axes, fit_scale
from gandiag.reports.figures.style import BLUE, ORANGE, RED, Picture, as_svg, new_figure
from gandiag.reports.formatting import format_signal


class PairedEvidence(NamedTuple):
    """The evidence whose signal is drawn for two runs.

    Attributes:
        evidence: the signal with its meaning and threshold.
        condition: the failure that an exceeded threshold is a sign of.
        is_on_signal_scale: whether the threshold has the scale of the signal itself.
    """

    evidence: Evidence
    condition: str
    is_on_signal_scale: bool


def draw_pair(
    records: tuple[Record, Record],
    labels: tuple[str, str],
    paired: PairedEvidence,
    name: str,
) -> Picture | None:
    """Draw a scalar signal of two runs on one scale; None if neither run recorded it.

    Args:
        records: records of the two runs.
        labels: names of the two runs.
        paired: the evidence to draw.
        name: id of the figure, unique in its page.
    """
    evidence, condition, has_threshold = paired
    signals = [record[evidence.signal] for record in records]
    drawn = [s for s in signals if len(s.steps) and s.values.ndim == 1]
    if not drawn:
        return None
    with new_figure(height=2.45, below=0.66) as figure:
        axes = figure.subplots()
        for signal, label, colour in zip(signals, labels, (ORANGE, BLUE), strict=True):
            # Compared by identity: signals are tuples of arrays, which have no truth value.
            if any(signal is each for each in drawn):
                draw_curve(axes, signal, colour, label)
        zeros = fit_scale(
            axes, [s.values for s in drawn], (evidence.threshold,) if has_threshold else ()
        )
        if has_threshold:
            axes.axhline(evidence.threshold, color=RED, linestyle=(0, (5, 3)), linewidth=1.2)
        axes.set_title(evidence.meaning if has_threshold else format_signal(evidence.signal))
        finish_axes(axes, max(record.last_step for record in records))
        figure.legend(loc="lower center", ncols=2, fontsize=8)
        caption = f"{labels[0]} is orange, {labels[1]} is blue."
        if has_threshold:
            side = "below" if evidence.relation == "<" else "above"
            caption += f" Values {side} the dashed line are a sign of {humanize(condition)}."
        caption += "".join(describe_edge_marks(s.values, zeros) for s in drawn)
        return Picture(as_svg(figure, name, f"{evidence.signal} of both runs. {caption}"), caption)
