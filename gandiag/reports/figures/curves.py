"""Curves over steps: a signal with its threshold, the losses, the discriminator's P(real)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from gandiag.diagnosis.diagnosis import Diagnosis, Evidence, humanize
from gandiag.diagnosis.statistics import recent_median
from gandiag.monitoring.signals import (
    AUC,
    DISCRIMINATOR_LOSS,
    GENERATOR_LOSS,
    P_REAL_OF_FAKE,
    P_REAL_OF_REAL,
    signal_info,
)
from gandiag.records.arrays import Array, align
from gandiag.records.record import Record
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
from gandiag.reports.formatting import format_signal

if TYPE_CHECKING:
    from matplotlib.axes import Axes


OVERLAP = 0.1  # fraction of the axis height within which the names of two lines would overlap
# In all curves green is for real samples, orange for generated ones and for the generator.
_LOSS_COLOURS = {DISCRIMINATOR_LOSS: BLUE, GENERATOR_LOSS: ORANGE}
_CONFIDENCE_COLOURS = {P_REAL_OF_REAL: GREEN, P_REAL_OF_FAKE: ORANGE, AUC: BLUE}


def draw_evidence(
    record: Record, diagnosis: Diagnosis, evidence: Evidence, name: str
) -> Picture | None:
    """Draw the signal of a piece of evidence with its threshold and the onset of the failure.

    Args:
        record: contains the signal.
        diagnosis: the diagnosis that the evidence belongs to.
        evidence: the signal and its threshold.
        name: id of the figure, unique in its page.

    Returns:
        None if the signal was not recorded.
    """
    signal = record[evidence.signal]
    if not len(signal.steps):
        return None
    title = format_signal(evidence.signal)
    if signal.values.ndim > 1:
        picture = draw_heatmap(signal, name, title, onset=diagnosis.onset)
        derived = f' "{evidence.meaning}" is derived from this signal.'
        return picture._replace(caption=picture.caption + derived)
    has_threshold = is_on_signal_scale(record, diagnosis, evidence)
    with new_figure(below=0.44) as figure:
        axes = figure.subplots()
        draw_curve(axes, signal, BLUE)
        info = signal_info(evidence.signal)
        baseline = info.baseline if info is not None else None
        threshold = evidence.threshold if has_threshold else None
        marks = [mark for mark in (threshold, baseline) if mark is not None]
        # The scale comes before the lines: the shaded area and the names need the axis limits.
        zeros = fit_scale(axes, [signal.values], marks)
        if has_threshold:
            _draw_threshold(axes, evidence, baseline)
        if baseline is not None:
            _draw_baseline(axes, baseline, threshold)
        axes.set_title(evidence.meaning if has_threshold else title)
        _finish_with_onset(axes, record, diagnosis.onset)
        caption = _write_caption(diagnosis, evidence, has_threshold)
        if baseline is not None:
            caption += " The thin green line is the mean for fresh real samples."
        caption += describe_edge_marks(signal.values, zeros)
        return Picture(as_svg(figure, name, f"{evidence.signal} over steps. {caption}"), caption)


def is_on_signal_scale(record: Record, diagnosis: Diagnosis, evidence: Evidence) -> bool:
    """Whether the threshold of a piece of evidence has the scale of the signal itself.

    It has if the observed number is a value of the signal, or the median of its newest values at
    the steps of any evidence of the diagnosis. Otherwise the detector derived another number from
    the signal, such as a ratio, and a threshold line in the signal's figure would mislead.
    """
    signal = record[evidence.signal]
    if signal.values.ndim > 1 or not np.isfinite(evidence.threshold):
        return False
    # An observed NaN or infinity is on the scale of a signal that has such values.
    if not np.isfinite(evidence.observed):
        return not np.isfinite(signal.values).all()
    # No absolute tolerance: gradients near 1e-12 would all be equal.
    if np.isclose(signal.values, evidence.observed, rtol=1e-9, atol=0).any():
        return True
    grids = (record[item.signal].steps for item in diagnosis.evidence)
    series: list[Array] = [align(grid, signal.steps, signal.values) for grid in grids]
    # Detectors use the median of at most 20 evaluations.
    medians = [recent_median(values, count) for values in series for count in range(1, 21)]
    return bool(np.isclose(medians, evidence.observed, rtol=1e-9, atol=0).any())


def draw_losses(record: Record, name: str, onset: int | None = None) -> Picture | None:
    """Draw the losses of both networks; None if no loss was recorded."""
    caption = (
        "Neither loss has to fall, as each network's loss depends on the other network. The curves "
        "show neither success nor failure; only NaN or a divergence is a bad sign by itself."
    )
    return _draw_lines(record, _LOSS_COLOURS, name, "Losses", caption, onset)


def draw_confidence(record: Record, name: str, onset: int | None = None) -> Picture | None:
    """Draw the discriminator's P(real) and AUC; None if neither was recorded."""
    caption = (
        "At P(real) = 0.5 for both and AUC = 0.5, the discriminator cannot tell real from "
        "generated samples. A confident discriminator is no failure while the samples improve."
    )
    title = "The discriminator's P(real) and AUC"
    return _draw_lines(record, _CONFIDENCE_COLOURS, name, title, caption, onset)


def _draw_lines(
    record: Record,
    colours: Mapping[str, str],
    name: str,
    title: str,
    caption: str,
    onset: int | None,
) -> Picture | None:
    """Draw several signals in one figure, with the names of the registry in the legend."""
    signals = {each: record[each] for each in colours if len(record[each].steps)}
    if not signals:
        return None
    with new_figure(height=2.45, below=0.78) as figure:
        axes = figure.subplots()
        for each, signal in signals.items():
            draw_curve(axes, signal, colours[each], format_signal(each))
        zeros = fit_scale(axes, [signal.values for signal in signals.values()])
        axes.set_title(title)
        _finish_with_onset(axes, record, onset)
        figure.legend(loc="lower center", ncols=2, fontsize=8)
        values = np.concatenate([signal.values for signal in signals.values()])
        caption += describe_edge_marks(values, zeros)
        return Picture(as_svg(figure, name, f"{title}. {caption}"), caption)


def _draw_threshold(axes: Axes, evidence: Evidence, baseline: float | None) -> None:
    """Draw the threshold as a line, and shade the side on which it counts as exceeded."""
    low, high = axes.get_ylim()
    threshold, text = evidence.threshold, f"{evidence.relation} {evidence.threshold:.3g}"
    span = (low, threshold) if evidence.relation == "<" else (threshold, high)
    axes.axhspan(*span, color=RED, alpha=0.09, linewidth=0, zorder=0)
    axes.axhline(threshold, color=RED, linestyle=(0, (5, 3)), linewidth=1.2)
    _write_line_name(axes, threshold, text, RED, baseline)


def _draw_baseline(axes: Axes, baseline: float, threshold: float | None) -> None:
    """Draw the mean for fresh real samples as a thin line."""
    axes.axhline(baseline, color=GREEN, linewidth=0.9)
    # The green of the line has too little contrast for letters.
    _write_line_name(axes, baseline, "real", MUTED, threshold)


def _write_line_name(axes: Axes, value: float, text: str, colour: str, other: float | None) -> None:
    """Name a horizontal line at its right end, away from the name of the other line."""
    side: Any = "center"
    if other is not None:
        # Compared on the screen, as equal distances differ on a logarithmic scale.
        heights = axes.get_yaxis().get_transform().transform([value, other, *axes.get_ylim()])
        if abs(heights[0] - heights[1]) < OVERLAP * (heights[3] - heights[2]):
            side = "bottom" if value > other else "top"
    where = axes.get_yaxis_transform()
    axes.annotate(text, (1, value), (4, 0), where, "offset points", color=colour, va=side)


def _finish_with_onset(axes: Axes, record: Record, onset: int | None) -> None:
    finish_axes(axes, record.last_step)
    if onset is not None:
        mark_onset(axes, onset, MUTED)


def _write_caption(diagnosis: Diagnosis, evidence: Evidence, has_threshold: bool) -> str:
    onset = ""
    if diagnosis.onset is not None:
        onset = f" The dotted line marks the onset, step {diagnosis.onset}."
    if not has_threshold:
        return (
            f'"{evidence.meaning}" is derived from this signal. Its threshold, '
            f"{evidence.threshold:.3g}, has another scale and is not drawn.{onset}"
        )
    side = "below" if evidence.relation == "<" else "above"
    condition = humanize(diagnosis.condition)
    return f"Values {side} the dashed line, in the shaded area, are a sign of {condition}.{onset}"
