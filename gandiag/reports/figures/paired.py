"""One signal of two runs in one figure."""

from __future__ import annotations

from typing import NamedTuple

from gandiag.diagnosis.diagnosis import Evidence, humanize
from gandiag.records.record import Record
from gandiag.reports.figures.axes import curve, finish, fit, strange
from gandiag.reports.figures.style import BLUE, ORANGE, RED, Picture, as_svg, drawing


class Compared(NamedTuple):
    """What of two runs is set in one figure.

    Attributes:
        evidence: which signal, and what it says.
        condition: what it speaks for beyond its threshold.
        fits: whether that threshold lies on the signal's own scale.
    """

    evidence: Evidence
    condition: str
    fits: bool


def paired_figure(
    records: tuple[Record, Record],
    labels: tuple[str, str],
    compared: Compared,
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
    with drawing(height=2.45, below=0.66) as figure:
        axes = figure.subplots()
        for signal, label, colour in zip(signals, labels, (ORANGE, BLUE), strict=True):
            if any(signal is each for each in drawn):
                curve(axes, signal, colour, label)
        zeros = fit(axes, [s.values for s in drawn], (evidence.threshold,) if fits else ())
        if fits:
            axes.axhline(evidence.threshold, color=RED, linestyle=(0, (5, 3)), linewidth=1.2)
        axes.set_title(evidence.meaning if fits else evidence.signal)
        finish(axes, max(record.last_step for record in records))
        figure.legend(loc="lower center", ncols=2, fontsize=8)
        caption = f"{labels[0]} is orange, {labels[1]} blue."
        if fits:
            side = "below" if evidence.relation == "<" else "above"
            caption += f" Values {side} the dashed line speak for {humanize(condition)}."
        caption += "".join(strange(s.values, zeros) for s in drawn)
        return Picture(as_svg(figure, name, f"{evidence.signal} of both. {caption}"), caption)
