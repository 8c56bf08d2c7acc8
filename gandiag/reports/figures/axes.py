"""What curves have in common: scale, gaps, marks for values that no axis can hold, the onset."""

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


LOG_DECADES = (1.7, 200.0)  # spans of values that are drawn on a log scale; ticks overflow beyond
MAX_LINEAR = 1e300  # that a linear scale can hold with its margins
EDGE_MARGIN = 0.03  # of the height: how far from the edge marks stand


class Scale(NamedTuple):
    """A vertical axis: logarithmic or not, and its ends."""

    is_log: bool
    low: float
    high: float


def draw_curve(axes: Axes, signal: Signal, colour: str, label: str | None = None) -> None:
    """Draw a scalar signal, broken where it is not finite, with a mark at the edge instead."""
    axes.autoscale(enable=False)  # overflows at the largest floats; `fit_scale` sets the scale
    steps, values = thin_curve(signal.steps, signal.values)
    finite = np.isfinite(values)
    axes.plot(steps, np.where(finite, values, np.nan), color=colour, label=label)
    before, after = np.r_[False, finite[:-1]], np.r_[finite[1:], False]
    alone = finite & ~before & ~after  # a line shows no point that has no neighbour
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
    """Set the vertical scale so that all finite values and the marks are in sight.

    Returns:
        Whether the scale is logarithmic and there are zeros, which then stand at the lower edge.
    """
    scale = choose_scale(curves, marks)
    if scale is None:
        axes.set_ylim(0, 1)
        axes.set_yticks([])
        return False
    if scale.is_log:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")  # powers are slow to typeset
        axes.minorticks_off()  # they would be of no length, and take a fifth of a figure's time
    axes.set_ylim(scale.low, scale.high)
    return scale.is_log and _mark_zeros(axes)


def choose_scale(curves: Sequence[Array], marks: Sequence[float] = ()) -> Scale | None:
    """A scale that has all finite values and marks in sight; None where there are none."""
    shown = np.concatenate([*(np.ravel(values) for values in curves), np.asarray(marks, float)])
    shown = shown[np.isfinite(shown)]
    if not len(shown):
        return None
    positive = shown[shown > 0]
    span = float(np.ptp(np.log10(positive))) if len(positive) else 0.0
    if shown.min() >= 0 and LOG_DECADES[0] < span < LOG_DECADES[1]:
        return Scale(True, float(positive.min() / 1.6), float(positive.max() * 1.6))
    low, high = float(max(shown.min(), -MAX_LINEAR)), float(min(shown.max(), MAX_LINEAR))
    margin = 0.08 * (high - low) or 0.1 * abs(high) or 1.0
    return Scale(False, low - margin, high + margin)


def finish_axes(axes: Axes, last_step: int) -> None:
    """What all curves over steps have below them."""
    axes.set_xlim(0, max(last_step, 1))
    axes.set_xlabel("generator step")
    axes.xaxis.set_label_coords(0.5, -0.17)  # said, not searched for: it takes time
    axes.grid(visible=False, axis="x")
    axes.tick_params(length=0, which="both")


def mark_onset(axes: Axes, onset: int, colour: str) -> None:
    """Draw when it began."""
    axes.axvline(onset, color=colour, linestyle=(0, (1, 2)), linewidth=1.3)
    left, right = axes.get_xlim()
    align = "left" if onset < (left + right) / 2 else "right"
    top, text = axes.get_xaxis_transform(), f"since {onset}"
    axes.annotate(
        text, (onset, 1), (0, 3), top, "offset points", color=colour, ha=align, fontsize=7.5
    )


def describe_edge_marks(values: Array, zeros: bool = False) -> str:
    """Say what the marks at the edges are; nothing where there are none.

    >>> strange(np.array([1.0, np.nan, np.inf]))
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
    """Mark exact zeros, which a log scale cannot hold, at the lower edge."""
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
