"""The common style of all figures, and their conversion to SVG and PNG.

Figures are made without pyplot, which would keep them in a global state. Colours are written as CSS
variables with the colour as fallback, so that a page can show its figures light or dark.
"""

from __future__ import annotations

import html
import io
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from matplotlib.figure import Figure


INK, MUTED, LINE = "#1d2430", "#5a6472", "#dde2e8"
# seaborn's "colorblind" palette: its colours differ for readers with common colour deficiencies.
BLUE, ORANGE, GREEN = "#0173b2", "#de8f05", "#029e73"
RED = "#bf4f00"  # darker than the palette's vermilion: text needs a contrast of 4.5 to 1 (WCAG)

_VARIABLES = {
    INK: "--ink",
    MUTED: "--muted",
    LINE: "--line",
    BLUE: "--blue",
    ORANGE: "--orange",
    GREEN: "--green",
    RED: "--red",
}
_STYLE: Mapping[str, Any] = {
    "axes.edgecolor": LINE,
    "axes.labelcolor": MUTED,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "axes.titlesize": 9.5,
    "axes.titlepad": 14,
    "axes.titley": 1.0,  # a search for free room would take a quarter of a figure's time
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # sizes are those of this wide font; the page uses its own
    "font.size": 8.5,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "lines.linewidth": 1.3,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "svg.fonttype": "none",  # text is stored as text: small, sharp, searchable
}
DPI = 120  # pixels per inch of a PNG
# Without these entries, equal figures give equal files, whatever the date and the version.
_NO_DATE = {"Date": None, "Creator": None, "Format": None, "Type": None}


class Picture(NamedTuple):
    """A figure for a page.

    Attributes:
        svg: an ``<svg>`` element; its ids begin with the figure's name, so that they are unique.
        caption: how to read the figure.
    """

    svg: str
    caption: str


@contextmanager
def new_figure(
    width: float = 4.6, height: float = 2.2, below: float | None = None
) -> Iterator[Figure]:
    """Open an empty figure; the common style holds inside the ``with`` block.

    Args:
        width: inches.
        height: inches.
        below: inches below a single panel, for its axis and legend. With None matplotlib searches
            for a layout of all panels, which takes as long as drawing the figure.
    """
    import matplotlib
    import seaborn
    from matplotlib.figure import Figure

    style: Any = {**seaborn.axes_style("whitegrid"), **_STYLE}
    with matplotlib.rc_context(style):
        figure = Figure(figsize=(width, height), layout="constrained" if below is None else None)
        if below is not None:
            sides = {"left": 0.5 / width, "right": 1 - 0.5 / width, "top": 1 - 0.36 / height}
            figure.subplots_adjust(bottom=below / height, **sides)
        yield figure


def as_svg(figure: Figure, name: str, label: str) -> str:
    """Write a figure as an SVG element; equal figures give equal text.

    Args:
        figure: the drawn figure.
        name: prefix of every id, unique in the page.
        label: description for screen readers.
    """
    import matplotlib

    buffer = io.StringIO()
    style: Any = {**_STYLE, "svg.hashsalt": name}  # without it matplotlib draws random ids
    with matplotlib.rc_context(style):
        _lay_out_once(figure)
        figure.savefig(buffer, format="svg", transparent=True, metadata=_NO_DATE)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(
        r"<style.*?</style>", "", text, flags=re.S
    )  # these styles would apply to the whole page
    # An id and all references to it get the same prefix: a page holds many figures, and matplotlib
    # gives their parts the same names.
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = re.sub(r'href="#', f'href="#{name}-', text)
    text = text.replace("url(#", f"url(#{name}-")
    text = re.sub(r' d="[^"]*"', _to_hundredths, text)
    for colour, variable in _VARIABLES.items():
        text = text.replace(colour, f"var({variable}, {colour})")
    text = text.replace("'DejaVu Sans'", "system-ui, 'DejaVu Sans'")
    head = f'<svg role="img" aria-label="{html.escape(label)}" stroke-linejoin="round"'
    return _without_size(text).replace("<svg", head, 1).strip()


def _lay_out_once(figure: Figure) -> None:
    """Compute the layout once: matplotlib would repeat it, half of a figure's time, when saving."""
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
        figure.set_layout_engine("none")


def _to_hundredths(path: re.Match[str]) -> str:
    """Round coordinates to a hundredth of a point: invisible, and less than half of the bytes."""
    return re.sub(r"(\.\d\d)\d+", r"\1", path[0])


def as_png(figure: Figure) -> bytes:
    """Write a figure as PNG on a white background."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    return buffer.getvalue()


def _without_size(svg: str) -> str:
    """Remove the size, so that the page sets it; the view box keeps the proportions."""
    head, rest = svg.split(">", 1)
    return re.sub(r' (width|height|version)="[^"]*"', "", head) + ">" + rest
