"""Curves over steps: a signal beside its threshold, the losses, the discriminator's confidence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from gandiag.diagnosis.diagnosis import Diagnosis, Evidence, humanize
from gandiag.diagnosis.statistics import recent_median
from gandiag.monitoring.signals import signal_info
from gandiag.records.arrays import Array, align
from gandiag.records.record import Record, Signal
from gandiag.reports.figures.axes import (
    describe_edge_marks,
    draw_curve,
    finish_axes,
    fit_scale,
    mark_onset,
)
from gandiag.reports.figures.heatmap import draw_heatmap
from gandiag.reports.figures.style import (
    BLUE,
    GREEN,
    MUTED,
    ORANGE,
    RED,
    Picture,
    as_svg,
    new_figure,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes


OVERLAP = 0.1  # of a figure's height: names of lines nearer to each other would overlap
_LOSS_COLOURS = {"discriminator": BLUE, "generator": ORANGE}
_CONFIDENCE_COLOURS = {"real": GREEN, "fake": ORANGE, "auc": BLUE}
_READING = {
    "real": "mean P(real) of real samples",
    "fake": "mean P(real) of fakes",
    "auc": "real and fake told apart (AUC)",
}


def draw_evidence(
    record: Record, diagnosis: Diagnosis, evidence: Evidence, name: str
) -> Picture | None:
    """Draw the signal of a piece of evidence with its threshold and the condition's onset.

    Args:
        record: where the signal is.
        diagnosis: whose onset is drawn.
        evidence: which signal, which threshold.
        name: id of the figure, unique in its page.

    Returns:
        None where the signal was not recorded.
    """
    signal = record[evidence.signal]
    if not len(signal.steps):
        return None
    if signal.values.ndim > 1:
        picture = draw_heatmap(signal, name, evidence.signal, onset=diagnosis.onset)
        derived = f' "{evidence.meaning}" is derived from it.'
        return picture._replace(caption=picture.caption + derived)
    own = is_on_signal_scale(record, diagnosis, evidence)
    with new_figure(below=0.44) as figure:
        axes = figure.subplots()
        draw_curve(axes, signal, BLUE)
        info = signal_info(evidence.signal)
        null = info.baseline if info is not None else None
        gate = evidence.threshold if own else None
        zeros = fit_scale(
            axes, [signal.values], [mark for mark in (gate, null) if mark is not None]
        )
        if own:
            _draw_threshold(axes, evidence, null)
        if null is not None:
            _draw_baseline(axes, null, gate)
        axes.set_title(evidence.meaning if own else evidence.signal)
        _finish_with_onset(axes, record, diagnosis.onset)
        caption = _write_caption(diagnosis, evidence, own)
        if null is not None:
            caption += " The thin green line is what fresh real samples give on average."
        caption += describe_edge_marks(signal.values, zeros)
        return Picture(as_svg(figure, name, f"{evidence.signal} over steps. {caption}"), caption)


def is_on_signal_scale(record: Record, diagnosis: Diagnosis, evidence: Evidence) -> bool:
    """Whether the threshold lies on the signal's own scale.

    It does if the observed number is one of the signal's values, or the median of its newest looks
    at the steps of this or another piece of evidence. Otherwise the detector derived a number of
    another scale from it, and a line in its figure would mislead.
    """
    signal = record[evidence.signal]
    if signal.values.ndim > 1 or not np.isfinite(evidence.threshold):
        return False
    if not np.isfinite(evidence.observed):
        return not np.isfinite(signal.values).all()
    if np.isclose(signal.values, evidence.observed, rtol=1e-9, atol=0).any():
        return True
    grids = (record[item.signal].steps for item in diagnosis.evidence)
    series: list[Array] = [align(grid, signal.steps, signal.values) for grid in grids]
    medians = [recent_median(values, looks) for values in series for looks in range(1, 21)]
    return bool(np.isclose(medians, evidence.observed, rtol=1e-9, atol=0).any())


def draw_losses(record: Record, name: str, onset: int | None = None) -> Picture | None:
    """Draw both players' losses; None where there are none."""
    lines = {f"{who}'s loss": (record[f"loss/value/{who}"], c) for who, c in _LOSS_COLOURS.items()}
    caption = (
        "Neither loss has to fall: each player's depends on how good the other one is, so read no "
        "success and no failure from these curves; only NaN or a blow-up is a bad sign by itself."
    )
    return _draw_lines(record, lines, name, "Losses of the two players", caption, onset)


def draw_confidence(record: Record, name: str, onset: int | None = None) -> Picture | None:
    """Draw how sure the discriminator is; None where nobody looked."""
    lines = {
        _READING[what]: (record[f"confidence/{what}/discriminator"], colour)
        for what, colour in _CONFIDENCE_COLOURS.items()
    }
    caption = (
        "At 0.5 the discriminator cannot tell real from fake, at 1 for real and 0 for fake it is "
        "sure; a sure discriminator is no failure as long as the samples still improve."
    )
    return _draw_lines(record, lines, name, "How sure the discriminator is", caption, onset)


def _draw_lines(
    record: Record,
    lines: Mapping[str, tuple[Signal, str]],
    name: str,
    title: str,
    caption: str,
    onset: int | None,
) -> Picture | None:
    drawn = {label: item for label, item in lines.items() if len(item[0].steps)}
    if not drawn:
        return None
    with new_figure(height=2.45, below=0.78) as figure:
        axes = figure.subplots()
        for label, (signal, colour) in drawn.items():
            draw_curve(axes, signal, colour, label)
        zeros = fit_scale(axes, [signal.values for signal, _ in drawn.values()])
        axes.set_title(title)
        _finish_with_onset(axes, record, onset)
        figure.legend(loc="lower center", ncols=2, fontsize=8)
        values = np.concatenate([signal.values for signal, _ in drawn.values()])
        caption += describe_edge_marks(values, zeros)
        return Picture(as_svg(figure, name, f"{title}. {caption}"), caption)


def _draw_threshold(axes: Axes, evidence: Evidence, null: float | None) -> None:
    """The threshold as a line, and the side that speaks for the condition shaded."""
    low, high = axes.get_ylim()
    gate, text = evidence.threshold, f"{evidence.relation} {evidence.threshold:.3g}"
    span = (low, gate) if evidence.relation == "<" else (gate, high)
    axes.axhspan(*span, color=RED, alpha=0.09, linewidth=0, zorder=0)
    axes.axhline(gate, color=RED, linestyle=(0, (5, 3)), linewidth=1.2)
    _write_line_name(axes, gate, text, RED, null)


def _draw_baseline(axes: Axes, null: float, gate: float | None) -> None:
    """What real samples would give, as a thin line."""
    axes.axhline(null, color=GREEN, linewidth=0.9)
    _write_line_name(axes, null, "real", MUTED, gate)  # green is too light for letters


def _write_line_name(axes: Axes, value: float, text: str, colour: str, other: float | None) -> None:
    """Name a line across at its right end, away from the name of a line that is close to it."""
    side: Any = "center"
    if other is not None:
        heights = axes.get_yaxis().get_transform().transform([value, other, *axes.get_ylim()])
        if abs(heights[0] - heights[1]) < OVERLAP * (heights[3] - heights[2]):
            side = "bottom" if value > other else "top"
    where = axes.get_yaxis_transform()
    axes.annotate(text, (1, value), (4, 0), where, "offset points", color=colour, va=side)


def _finish_with_onset(axes: Axes, record: Record, onset: int | None) -> None:
    finish_axes(axes, record.last_step)
    if onset is not None:
        mark_onset(axes, onset, MUTED)


def _write_caption(diagnosis: Diagnosis, evidence: Evidence, own: bool) -> str:
    condition = humanize(diagnosis.condition)
    since = ""
    if diagnosis.onset is not None:
        since = f"; the dotted line marks step {diagnosis.onset}, since when it has been there"
    if not own:
        return (
            f'This is the signal from which "{evidence.meaning}" is derived; the threshold '
            f"{evidence.threshold:.3g} belongs to that number and is not drawn{since}."
        )
    side = "below" if evidence.relation == "<" else "above"
    return f"Values {side} the dashed line, in the shaded area, speak for {condition}{since}."
