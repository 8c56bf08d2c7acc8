"""One signal of two runs in one figure."""

from __future__ import annotations

from typing import NamedTuple

from gandiag.diagnosis.diagnosis import Evidence, humanize
from gandiag.records.record import Record
from gandiag.reports.figures.axes import describe_edge_marks, draw_curve, finish_axes, fit_scale
from gandiag.reports.figures.style import BLUE, ORANGE, RED, Picture, as_svg, new_figure


class PairedEvidence(NamedTuple):
    """What of two runs is set in one figure.

    Attributes:
        evidence: which signal, and what it says.
        condition: what it speaks for beyond its threshold.
        fits: whether that threshold lies on the signal's own scale.
    """

    evidence: Evidence
    condition: str
    is_on_signal_scale: bool


def draw_pair(
    records: tuple[Record, Record],
    labels: tuple[str, str],
    compared: PairedEvidence,
    name: str,
) -> Picture | None:
    """Draw a scalar signal of two runs over one scale; None where neither has it.

    Args:
        records: the two runs.
        labels: what they are called.
        compared: which signal.
        name: id of the figure, unique in its page.
    """
    evidence, condition, fits = compared
    signals = [record[evidence.signal] for record in records]
    drawn = [s for s in signals if len(s.steps) and s.values.ndim == 1]
    if not drawn:
        return None
    with new_figure(height=2.45, below=0.66) as figure:
        axes = figure.subplots()
        for signal, label, colour in zip(signals, labels, (ORANGE, BLUE), strict=True):
            if any(signal is each for each in drawn):
                draw_curve(axes, signal, colour, label)
        zeros = fit_scale(axes, [s.values for s in drawn], (evidence.threshold,) if fits else ())
        if fits:
            axes.axhline(evidence.threshold, color=RED, linestyle=(0, (5, 3)), linewidth=1.2)
        axes.set_title(evidence.meaning if fits else evidence.signal)
        finish_axes(axes, max(record.last_step for record in records))
        figure.legend(loc="lower center", ncols=2, fontsize=8)
        caption = f"{labels[0]} is orange, {labels[1]} blue."
        if fits:
            side = "below" if evidence.relation == "<" else "above"
            caption += f" Values {side} the dashed line speak for {humanize(condition)}."
        caption += "".join(describe_edge_marks(s.values, zeros) for s in drawn)
        return Picture(as_svg(figure, name, f"{evidence.signal} of both. {caption}"), caption)
