"""Axes of curves: the scale, gaps, marks for values that are not finite, and the onset."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gandiag.records.arrays import Array
from gandiag.records.record import Signal
from gandiag.reports.figures.downsample import thin_curve
from gandiag.reports.figures.style import MUTED, RED

if TYPE_CHECKING:
    from matplotlib.axes import Axes


# Positive values that span more decades than the first number get a log scale. Beyond the second
# one, matplotlib's ticks overflow.
LOG_DECADES = (1.7, 200.0)
MAX_LINEAR = 1e300  # largest value on a linear scale: its margins must stay finite floats
EDGE_MARGIN = 0.03  # distance of marks from the edge, as a fraction of the axis height


class Scale(NamedTuple):
    """The vertical axis: whether it is logarithmic, and its two ends."""

    is_log: bool
    low: float
    high: float


def draw_curve(axes: Axes, signal: Signal, colour: str, label: str | None = None) -> None:
    """Draw a scalar signal; a value that is not finite leaves a gap and a mark at the edge."""
    axes.autoscale(enable=False)  # overflows at the largest floats; `fit_scale` sets the scale
    steps, values = thin_curve(signal.steps, signal.values)
    finite = np.isfinite(values)
    axes.plot(steps, np.where(finite, values, np.nan), color=colour, label=label)
    before, after = np.r_[False, finite[:-1]], np.r_[finite[1:], False]
    alone = finite & ~before & ~after  # a line does not show a point without a neighbour
    axes.plot(steps[alone], values[alone], ".", color=colour, markersize=4)
    for where, marker, height in (
        (np.isnan(values), "x", 1 - EDGE_MARGIN),
        (np.isposinf(values), "^", 1 - EDGE_MARGIN),
        (np.isneginf(values), "v", EDGE_MARGIN),
    ):
        if where.any():
            at_edge = axes.get_xaxis_transform()
            heights = np.full(int(where.sum()), height)
            axes.plot(steps[where], heights, marker, color=RED, markersize=4, transform=at_edge)


def fit_scale(axes: Axes, curves: Sequence[Array], marks: Sequence[float] = ()) -> bool:
    """Set the vertical scale such that all finite values and the marks are visible.

    Args:
        axes: the axes with their curves already drawn.
        curves: the values of the curves.
        marks: further values, such as a threshold.

    Returns:
        Whether exact zeros are marked at the lower edge of a logarithmic scale.
    """
    scale = choose_scale(curves, marks)
    if scale is None:
        axes.set_ylim(0, 1)
        axes.set_yticks([])
        return False
    if scale.is_log:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(
            lambda value, _: f"{value:g}"
        )  # powers of ten are slow to set
        # Minor ticks have length 0 in this style, but take a fifth of a figure's time.
        axes.minorticks_off()
    axes.set_ylim(scale.low, scale.high)
    return scale.is_log and _mark_zeros(axes)


def choose_scale(curves: Sequence[Array], marks: Sequence[float] = ()) -> Scale | None:
    """Choose a scale that shows all finite values and marks; None if there are none."""
    shown = np.concatenate([*(np.ravel(values) for values in curves), np.asarray(marks, float)])
    shown = shown[np.isfinite(shown)]
    if not len(shown):
        return None
    positive = shown[shown > 0]
    span = float(np.ptp(np.log10(positive))) if len(positive) else 0.0
    # Zeros do not prevent a logarithmic scale; they are marked at its lower edge.
    if shown.min() >= 0 and LOG_DECADES[0] < span < LOG_DECADES[1]:
        return Scale(True, float(positive.min() / 1.6), float(positive.max() * 1.6))
    low, high = float(max(shown.min(), -MAX_LINEAR)), float(min(shown.max(), MAX_LINEAR))
    # A constant curve has no extent, so its margin follows its value, or is 1 for zeros.
    margin = 0.08 * (high - low) or 0.1 * abs(high) or 1.0
    return Scale(False, low - margin, high + margin)


def finish_axes(axes: Axes, last_step: int) -> None:
    """Set the horizontal axis of curves over generator steps."""
    axes.set_xlim(0, max(last_step, 1))
    axes.set_xlabel("generator step")
    axes.xaxis.set_label_coords(0.5, -0.17)  # a search for free room would take time
    axes.grid(visible=False, axis="x")
    axes.tick_params(length=0, which="both")


def mark_onset(axes: Axes, onset: int, colour: str) -> None:
    """Draw a dotted line at the onset, named above the axes."""
    axes.axvline(onset, color=colour, linestyle=(0, (1, 2)), linewidth=1.3)
    left, right = axes.get_xlim()
    align = "left" if onset < (left + right) / 2 else "right"
    top, text = axes.get_xaxis_transform(), f"since {onset}"
    axes.annotate(
        text, (onset, 1), (0, 3), top, "offset points", color=colour, ha=align, fontsize=7.5
    )


def describe_edge_marks(values: Array, zeros: bool = False) -> str:
    """Explain the marks at the edges for a caption; empty if there are none.

    >>> describe_edge_marks(np.array([1.0, np.nan, np.inf]))
    ' Crosses and triangles at the edges: 2 values that are not finite (1 NaN, 1 infinite).'
    """
    nans, infinite = int(np.isnan(values).sum()), int(np.isinf(values).sum())
    text = " Circles at the lower edge: exact zeros." if zeros else ""
    if nans + infinite:
        text += (
            f" Crosses and triangles at the edges: {nans + infinite} values that are not finite "
            f"({nans} NaN, {infinite} infinite)."
        )
    return text


def _mark_zeros(axes: Axes) -> bool:
    """Mark exact zeros, which have no place on a log scale, at the lower edge."""
    found = False
    for line in list(axes.lines):
        steps, values = (np.asarray(data) for data in line.get_data())
        where = values == 0
        if where.any() and line.get_transform() == axes.transData:
            heights = np.full(int(where.sum()), EDGE_MARGIN)
            at_edge = axes.get_xaxis_transform()
            axes.plot(
                steps[where], heights, "o", color=MUTED, markersize=3, mfc="none", transform=at_edge
            )
            found = True
    return found
