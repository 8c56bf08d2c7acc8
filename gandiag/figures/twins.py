"""One signal of two runs in one figure."""

from __future__ import annotations

from gandiag.diagnosis import Evidence
from gandiag.figures.axes import curve, finish, fit, strange
from gandiag.figures.style import BLUE, ORANGE, RED, Picture, as_svg, drawing
from gandiag.record import Record

__all__ = ["twin_figure"]


def twin_figure(
    records: tuple[Record, Record],
    labels: tuple[str, str],
    evidence: Evidence,
    threshold: float | None,
    name: str,
) -> Picture | None:
    """Draw a scalar signal of two runs over one scale; None where neither has it.

    Args:
        records: the two runs.
        labels: what they are called.
        evidence: which signal, and what it says.
        threshold: drawn where it lies on the signal's own scale; else None.
        name: id of the figure, unique in its page.
    """
    signals = [record[evidence.signal] for record in records]
    drawn = [s for s in signals if len(s.steps) and s.values.ndim == 1]
    if not drawn:
        return None
    with drawing(height=2.45, below=0.66) as figure:
        axes = figure.subplots()
        for signal, label, colour in zip(signals, labels, (ORANGE, BLUE), strict=True):
            if any(signal is each for each in drawn):
                curve(axes, signal, colour, label)
        zeros = fit(axes, [s.values for s in drawn], () if threshold is None else (threshold,))
        if threshold is not None:
            axes.axhline(threshold, color=RED, linestyle=(0, (5, 3)), linewidth=1.2)
        axes.set_title(evidence.meaning if threshold is not None else evidence.signal)
        finish(axes, max(record.last_step for record in records))
        figure.legend(loc="lower center", ncols=2, fontsize=8)
        caption = f"{labels[0]} is orange, {labels[1]} blue."
        if threshold is not None:
            side = "below" if evidence.relation == "<" else "above"
            caption += f" Values {side} the dashed line speak for the condition."
        caption += "".join(strange(s.values, zeros) for s in drawn)
        return Picture(as_svg(figure, name, f"{evidence.signal} of both. {caption}"), caption)
