"""Figures of a record. They draw recorded numbers and compute no new ones.

Each function returns a `Picture`: SVG for a page, and a caption that explains how to read it.
"""

from __future__ import annotations

from gandiag.reports.figures.bars import draw_class_shares
from gandiag.reports.figures.curves import draw_confidence, draw_evidence, draw_losses
from gandiag.reports.figures.downsample import thin_curve
from gandiag.reports.figures.heatmap import draw_heatmap
from gandiag.reports.figures.paired import draw_pair
from gandiag.reports.figures.scatter import draw_scatter, draw_scatter_png
from gandiag.reports.figures.style import Picture
from gandiag.reports.figures.timeline import draw_timeline

__all__ = [
    "Picture",
    "draw_class_shares",
    "draw_confidence",
    "draw_evidence",
    "draw_heatmap",
    "draw_losses",
    "draw_pair",
    "draw_scatter",
    "draw_scatter_png",
    "draw_timeline",
    "thin_curve",
]
