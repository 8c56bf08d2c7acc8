"""Figures of a record, one function each. They show what was measured and compute nothing new.

Each returns a `Picture`: SVG for a page, with the sentence that tells how to read it.
"""

from __future__ import annotations

from gandiag.reports.figures.bars import class_bars
from gandiag.reports.figures.curves import confidence_figure, evidence_figure, loss_figure
from gandiag.reports.figures.downsample import thin
from gandiag.reports.figures.heatmap import heatmap_figure
from gandiag.reports.figures.paired import paired_figure
from gandiag.reports.figures.scatter import scatter_figure, scatter_png
from gandiag.reports.figures.style import Picture
from gandiag.reports.figures.timeline import timeline_figure

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
    "paired_figure",
]
