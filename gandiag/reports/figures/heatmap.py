"""Heat maps of vector signals over steps, such as class histograms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gandiag.records.arrays import Array
from gandiag.records.record import Signal
from gandiag.reports.figures.axes import mark_onset
from gandiag.reports.figures.style import BLUE, MUTED, RED, Picture, as_svg, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes


MAX_COLUMNS = 150  # evaluations in a heat map; narrower columns could not be seen on a page


def draw_heatmap(
    signal: Signal,
    name: str,
    title: str,
    real: Sequence[float] = (),
    onset: int | None = None,
) -> Picture:
    """Draw a vector signal: evaluations from left to right, entries from top to bottom.

    Args:
        signal: values of shape ``(n, k)``.
        name: id of the figure, unique in its page.
        title: title of the figure.
        real: the same ``k`` entries for the real data, drawn at the right; may be empty.
        onset: onset of the failure, a generator step; None draws no line.
    """
    # A record with few evaluations gives the same index several times.
    shown = np.unique(np.linspace(0, len(signal.steps) - 1, MAX_COLUMNS).astype(int))
    steps, values = signal.steps[shown], signal.values[shown].T
    values = np.where(np.isfinite(values), values, np.nan)  # blank cells
    beside = np.asarray(real, float)[:, None] if len(real) == len(values) else None
    with new_figure(4.6, 1.2 + min(0.11 * len(values), 1.8), below=0.5) as figure:
        # The last panel is the colour bar, the one before it shows the real data.
        parts = [30, 1, 1] if beside is not None else [30, 1]
        panels = figure.subplots(1, len(parts), width_ratios=parts, gridspec_kw={"wspace": 0.09})
        # Samples and real data share one colour scale; 1e-12 avoids an empty one for zeros.
        top = float(np.nanmax([np.nanmax(values), *real, 1e-12])) if values.size else 1.0
        _draw_cells(panels[0], values, top)
        _label_steps(panels[0], steps)
        panels[0].set_title(title)
        if onset is not None:
            panels[0].set_xlim(0, len(steps))
            column = int(np.searchsorted(steps, onset))  # the horizontal axis counts columns
            mark_onset(panels[0], column, RED)
            panels[0].texts[-1].set_text(f"since {onset}")
        if beside is not None:
            _draw_cells(panels[1], beside, top)
            panels[1].set(xticks=[], yticks=[])
            panels[1].set_title("real", loc="center", pad=3, fontsize=7.5, color=MUTED)
        figure.colorbar(panels[0].collections[0], cax=panels[-1])
        panels[-1].tick_params(length=0)
        caption = _write_caption(signal, len(steps), beside is not None)
        return Picture(as_svg(figure, name, f"{title}. {caption}"), caption)


def _draw_cells(axes: Axes, values: Array, top: float) -> None:
    import seaborn

    style = {"cmap": seaborn.light_palette(BLUE, as_cmap=True), "vmin": 0, "vmax": top}
    # Thousands of cells as SVG paths would be far larger than one picture of them.
    seaborn.heatmap(values, ax=axes, cbar=False, xticklabels=False, rasterized=True, **style)
    rows = np.arange(0, len(values), max(1, len(values) // 16))
    axes.set_yticks(rows + 0.5, [str(row) for row in rows], rotation=0)
    axes.tick_params(length=0)


def _label_steps(axes: Axes, steps: NDArray[np.int64]) -> None:
    ticks = np.unique(np.linspace(0, len(steps) - 1, 5).astype(int))
    axes.set_xticks(ticks + 0.5, [str(steps[tick]) for tick in ticks], rotation=0)
    axes.set_xlabel("generator step")


def _write_caption(signal: Signal, columns: int, has_real: bool) -> str:
    some = "" if columns == len(signal.steps) else f" ({columns} of {len(signal.steps)} are shown)"
    text = (
        f"Each column is one evaluation{some}, each row one entry; a larger value is a stronger "
        "blue. A row without blue is nearly missing from the samples; stripes that come and go "
        "show samples that change."
    )
    text += " The column at the right shows the real data." if has_real else ""
    count = int((~np.isfinite(signal.values)).sum())
    return text + (f" Blank cells: {count} values that are not finite." if count else "")
