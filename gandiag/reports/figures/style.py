"""One look for all figures, and SVG of which many can stand in one page.

No pyplot: a figure is an object that is drawn, written and forgotten. The few colours are written
as CSS variables with themselves as fallback, so a page can turn its figures dark.
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
# seaborn's "colorblind" palette, chosen to stay apart under the common colour deficiencies
BLUE, ORANGE, GREEN = "#0173b2", "#de8f05", "#029e73"
RED = "#bf4f00"  # the palette's vermilion, darker: 4.9 to 1 on white, as text needs

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
    "axes.titley": 1.0,  # said, not searched for: that takes a quarter of a figure's time
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # measured with the widest, shown with the page's own
    "font.size": 8.5,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "lines.linewidth": 1.3,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "svg.fonttype": "none",  # text stays text: small, sharp and searchable
}
DPI = 120  # pixels an inch of a PNG
_NO_DATE = {"Date": None, "Creator": None, "Format": None, "Type": None}


class Picture(NamedTuple):
    """A figure for a page.

    Attributes:
        svg: an ``<svg>`` element whose ids occur in no other figure.
        caption: one sentence that tells how to read it.
    """

    svg: str
    caption: str


@contextmanager
def new_figure(
    width: float = 4.6, height: float = 2.2, below: float | None = None
) -> Iterator[Figure]:
    """Give an empty figure with the common style in force while it is drawn.

    Args:
        width: of the figure in inches.
        height: of the figure in inches.
        below: room in inches for what stands below a single panel; None where room is to be found
            for all that is drawn, which takes as long as drawing it.
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
    """Write a figure as an SVG element; the same figure always gives the same text.

    Args:
        figure: what was drawn.
        name: put before every id; unique in the page.
        label: what is to be seen, for those who cannot see it.
    """
    import matplotlib

    buffer = io.StringIO()
    style: Any = {**_STYLE, "svg.hashsalt": name}  # else ids are drawn at random
    with matplotlib.rc_context(style):
        _lay_out_once(figure)
        figure.savefig(buffer, format="svg", transparent=True, metadata=_NO_DATE)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<style.*?</style>", "", text, flags=re.S)  # it would style the whole page
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
    """Else the layout, half the time of a figure, is found anew each time something is drawn."""
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
        figure.set_layout_engine("none")


def _to_hundredths(path: re.Match[str]) -> str:
    """A path's coordinates to a hundredth of a point: less than half the bytes, nothing seen."""
    return re.sub(r"(\.\d\d)\d+", r"\1", path[0])


def as_png(figure: Figure) -> bytes:
    """Write a figure as PNG on white."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    return buffer.getvalue()


def _without_size(svg: str) -> str:
    """Leave the size to the page; the view box keeps the proportions."""
    head, rest = svg.split(">", 1)
    return re.sub(r' (width|height|version)="[^"]*"', "", head) + ">" + rest
