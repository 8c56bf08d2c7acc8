"""What the *Explore* part of a page is fed with: charts, signals, sheets and answers by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from gandiag.reports.figures.explore import bokeh_document, charts_of, packed_signals
from gandiag.reports.figures.plane import looks_of, spaced
from gandiag.reports.figures.plane_chart import plane_document
from gandiag.reports.formatting import by_weight, plain, shown
from gandiag.reports.page.content import first_onset
from gandiag.reports.page.gallery import GridImage, film, real_points, real_sheet
from gandiag.reports.report import Report

LOOKS = 40  # at the plane that a cursor can be moved over, 4 kB each


class Exploration(NamedTuple):
    """The interactive part of a page.

    Attributes:
        last_step: where the cursor ends.
        frames: whether there are sheets of images to move over.
        real: the real sheet as data URL; empty where there is none.
        plane: whether the samples are points of a plane.
        data: all else that the page's script reads, as plain data.
    """

    last_step: int
    frames: bool
    real: str
    plane: bool
    data: Mapping[str, Any]


def explore(report: Report, plates: Sequence[GridImage]) -> Exploration | None:
    """Gather what the cursor moves over; None for a record without a number in it."""
    record, onset = report.record, first_onset(report)
    signals = packed_signals(record)
    if not signals:
        return None
    charts = charts_of(record, by_weight(shown(report.diagnoses)))
    frames = film(record, plates)
    looks = spaced(looks_of(record), LOOKS)
    data = {
        "onset": onset,
        "signals": signals,
        "charts": [{"signals": chart.signals} for chart in charts],
        "document": bokeh_document(record, charts, onset),
        "plane": plane_document(looks, real_points(real_sheet(record))) if looks else None,
        "frames": [frame._asdict() for frame in frames],
        "asked": [
            {"step": step, "statuses": {plain(name): status for name, status in found.items()}}
            for step, found in report.history
        ],
    }
    real = next((plate.url for plate in plates if plate.step is None), "")
    return Exploration(record.last_step, bool(frames), real, bool(looks), data)
