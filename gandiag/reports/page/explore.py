"""The data of the interactive section *Explore*: signals, charts, sample grids and statuses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from gandiag.diagnosis.diagnosis import humanize
from gandiag.reports.figures.explore import build_bokeh_document, choose_charts, pack_signals
from gandiag.reports.figures.plane import choose_frames, read_plane_frames
from gandiag.reports.figures.plane_chart import build_plane_document
from gandiag.reports.formatting import format_signal, select_shown, sort_by_status
from gandiag.reports.page.content import find_first_onset
from gandiag.reports.page.gallery import GridImage, build_frames, find_real_grid, load_real_points
from gandiag.reports.report import Report

MAX_PLANE_FRAMES = 40  # frames of the plane under the cursor; each adds about 4 kB to the page


class Exploration(NamedTuple):
    """The interactive part of a page.

    Attributes:
        last_step: last generator step, the right end of the cursor.
        has_frames: whether there are sample grids of images.
        real_url: the grid of real images as data URL; empty if there is none.
        has_plane: whether the samples are points of a plane.
        data: everything that the page's script reads, as JSON.
    """

    last_step: int
    has_frames: bool
    real_url: str
    has_plane: bool
    data: Mapping[str, Any]


def build_exploration(report: Report, grids: Sequence[GridImage]) -> Exploration | None:
    """Gather the data that follows the cursor; None if no scalar signal was recorded.

    Args:
        report: the report of the run.
        grids: the sample grids that are already on the page; they are not stored twice.
    """
    record, onset = report.record, find_first_onset(report)
    # Each signal is stored once, although several charts and the table of values use it.
    signals = pack_signals(record)
    if not signals:
        return None
    charts = choose_charts(record, sort_by_status(select_shown(report.diagnoses)))
    frames = build_frames(record, grids)
    plane = choose_frames(read_plane_frames(record), MAX_PLANE_FRAMES)
    real_points = load_real_points(find_real_grid(record))
    data = {
        "onset": onset,
        "signals": signals,
        "labels": {name: format_signal(name) for name in signals},
        "charts": [{"signals": chart.signals} for chart in charts],
        "document": build_bokeh_document(record, charts, onset),
        "plane": build_plane_document(plane, real_points) if plane else None,
        "frames": [frame._asdict() for frame in frames],
        "evaluations": [
            {"step": step, "statuses": {humanize(name): each for name, each in statuses.items()}}
            for step, statuses in report.history
        ],
    }
    real_url = next((grid.url for grid in grids if grid.step is None), "")
    return Exploration(record.last_step, bool(frames), real_url, bool(plane), data)
