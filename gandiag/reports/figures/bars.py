"""Shares of the classes among the samples at the end of a run, beside their real shares."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gandiag.records.record import Signal
from gandiag.reports.figures.style import INK, MUTED, ORANGE, RED, Picture, as_svg, new_figure

EVALUATIONS = 5  # histograms that are averaged, as many as the detectors use
MAX_CLASSES = 40  # bars of more classes would be too narrow to read


def draw_class_shares(
    signal: Signal, real: Sequence[float], name: str, missing_below: float | None = None
) -> Picture | None:
    """Draw the share of each class in the samples and in the real data.

    Args:
        signal: histograms over ``k`` classes, shape ``(n, k)``.
        real: the ``k`` real shares.
        name: id of the figure, unique in its page.
        missing_below: a class with less than this fraction of its real share is marked as missing.

    Returns:
        None if the real shares are unknown, or if there are too many classes.
    """
    shares = np.asarray(real, float)
    if (
        signal.values.shape[1:] != shares.shape
        or not len(signal.steps)
        or len(shares) > MAX_CLASSES
    ):
        return None
    # A single histogram varies by chance; the mean of several varies less.
    newest = signal.values[-EVALUATIONS:]
    generated = np.nan_to_num(newest, nan=0.0).mean(0)
    # Without a limit no class is marked: a comparison with NaN is false.
    missing = generated < (np.nan if missing_below is None else missing_below) * shares
    with new_figure(4.6, 2.4, below=0.7) as figure:
        axes = figure.subplots()
        places = np.arange(len(shares))
        axes.bar(places, generated, color=ORANGE, width=0.7, linewidth=0, label="samples")
        axes.hlines(shares, places - 0.45, places + 0.45, color=INK, linewidth=1.8, label="real")
        for place in places[missing]:
            axes.annotate(
                "missing",
                (place, shares[place]),
                (0, 4),
                textcoords="offset points",
                rotation=90,
                ha="center",
                va="bottom",
                color=RED,
                fontsize=7.5,
            )
        axes.set_xticks(places, [str(place) for place in places])
        # Room above the real shares for the upright word "missing".
        axes.set_ylim(0, max(1.15 * float(generated.max()), 2.6 * float(shares.max())))
        axes.set_title("Share of each class at the end of the run")
        axes.set_xlabel("class")
        axes.xaxis.set_label_coords(0.5, -0.17)  # a search for free room would take time
        axes.grid(visible=False, axis="x")
        axes.tick_params(length=0, colors=MUTED)
        figure.legend(loc="lower center", ncols=2, fontsize=8)
        caption = _write_caption(places[missing].tolist(), len(newest), missing_below)
        return Picture(as_svg(figure, name, f"Share of each class. {caption}"), caption)


def _write_caption(missing: Sequence[int], evaluations: int, missing_below: float | None) -> str:
    text = (
        f"Bars show the samples, averaged over the last {evaluations} evaluations. Short lines "
        "show the real data. A bar far below its line is a missing class."
    )
    if missing_below is None:
        return text
    found = ", ".join(map(str, missing)) or "none"
    return f"{text} Classes with less than {missing_below:.0%} of their real share: {found}."
