"""Which classes the generator makes at the end, beside how often the real data have them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gandiag.records.record import Signal
from gandiag.reports.figures.style import INK, MUTED, ORANGE, RED, Picture, as_svg, new_figure

EVALUATIONS = 5  # newest histograms that are averaged, as the detectors do
MAX_CLASSES = 40  # classes that can be told apart as bars


def draw_class_shares(
    signal: Signal, real: Sequence[float], name: str, hardly: float | None = None
) -> Picture | None:
    """Draw each class's share of the samples over its real share; None where classes are unknown.

    Args:
        signal: histograms over classes, ``(n, k)``.
        real: the ``k`` real shares.
        name: id of the figure, unique in its page.
        hardly: share of its real share below which a class is marked as hardly made.
    """
    shares = np.asarray(real, float)
    if (
        signal.values.shape[1:] != shares.shape
        or not len(signal.steps)
        or len(shares) > MAX_CLASSES
    ):
        return None
    newest = signal.values[-EVALUATIONS:]
    made = np.nan_to_num(newest, nan=0.0).mean(0)
    missed = made < hardly * shares if hardly is not None else np.zeros(len(shares), bool)
    with new_figure(4.6, 2.4, below=0.7) as figure:
        axes = figure.subplots()
        places = np.arange(len(shares))
        axes.bar(places, made, color=ORANGE, width=0.7, linewidth=0, label="samples")
        axes.hlines(shares, places - 0.45, places + 0.45, color=INK, linewidth=1.8, label="real")
        for place in places[missed]:
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
        axes.set_ylim(0, max(1.15 * float(made.max()), 2.6 * float(shares.max())))
        axes.set_title("Share of each class at the end of the run")
        axes.set_xlabel("class")
        axes.xaxis.set_label_coords(0.5, -0.17)  # said, not searched for: it takes time
        axes.grid(visible=False, axis="x")
        axes.tick_params(length=0, colors=MUTED)
        figure.legend(loc="lower center", ncols=2, fontsize=8)
        caption = _write_caption(places[missed].tolist(), len(newest), hardly)
        return Picture(as_svg(figure, name, f"Share of each class. {caption}"), caption)


def _write_caption(missed: Sequence[int], looks: int, hardly: float | None) -> str:
    text = (
        f"Bars are the samples, averaged over the last {looks} looks; the short lines are the "
        "real data: a bar far below its line is a class that is missing."
    )
    if hardly is None:
        return text
    found = ", ".join(map(str, missed)) or "none"
    return f"{text} Made less than {hardly:.0%} as often as in the real data: {found}."
