"""What the *Explore* part of a page is fed with: charts, signals, sheets and answers by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from gandiag.diagnosis.diagnosis import humanize
from gandiag.reports.figures.explore import build_bokeh_document, choose_charts, pack_signals
from gandiag.reports.figures.plane import choose_frames, read_plane_frames
from gandiag.reports.figures.plane_chart import build_plane_document
from gandiag.reports.formatting import select_shown, sort_by_status
from gandiag.reports.page.content import find_first_onset
from gandiag.reports.page.gallery import GridImage, build_frames, find_real_grid, load_real_points
from gandiag.reports.report import Report

MAX_PLANE_FRAMES = 40  # at the plane that a cursor can be moved over, 4 kB each


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
    has_frames: bool
    real_url: str
    has_plane: bool
    data: Mapping[str, Any]


def build_exploration(report: Report, plates: Sequence[GridImage]) -> Exploration | None:
    """Gather what the cursor moves over; None for a record without a number in it."""
    record, onset = report.record, find_first_onset(report)
    signals = pack_signals(record)
    if not signals:
        return None
    charts = choose_charts(record, sort_by_status(select_shown(report.diagnoses)))
    frames = build_frames(record, plates)
    looks = choose_frames(read_plane_frames(record), MAX_PLANE_FRAMES)
    data = {
        "onset": onset,
        "signals": signals,
        "charts": [{"signals": chart.signals} for chart in charts],
        "document": build_bokeh_document(record, charts, onset),
        "plane": build_plane_document(looks, load_real_points(find_real_grid(record)))
        if looks
        else None,
        "frames": [frame._asdict() for frame in frames],
        "asked": [
            {"step": step, "statuses": {humanize(name): status for name, status in found.items()}}
            for step, found in report.history
        ],
    }
    real = next((plate.url for plate in plates if plate.step is None), "")
    return Exploration(record.last_step, bool(frames), real, bool(looks), data)
