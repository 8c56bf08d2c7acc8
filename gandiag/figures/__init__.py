"""Figures of a record, one function each. They show what was measured and compute nothing new.

Each returns a `Picture`: SVG for a page, with the sentence that tells how to read it.
"""

from __future__ import annotations

from gandiag.figures.bars import class_bars
from gandiag.figures.curves import confidence_figure, evidence_figure, loss_figure
from gandiag.figures.maps import heatmap_figure
from gandiag.figures.points import scatter_figure, scatter_png
from gandiag.figures.style import Picture
from gandiag.figures.thinning import thin
from gandiag.figures.timeline import timeline_figure
from gandiag.figures.twins import twin_figure

__all__ = [
    "Picture",
    "class_bars",
    "confidence_figure",
    "evidence_figure",
    "heatmap_figure",
    "loss_figure",
    "scatter_figure",
    "scatter_png",
    "thin",
    "timeline_figure",
    "twin_figure",
]
