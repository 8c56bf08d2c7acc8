"""What a lesson shows of one run: verdict, frames for the viewer, curves, and checked claims."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gandiag.diagnosis.diagnosis import Diagnosis, Evidence
from gandiag.diagnosis.statistics import recent_median
from gandiag.monitoring.signals import (
    AUC,
    DISCRIMINATOR_LOSS,
    GENERATOR_GRADIENT_NORM,
    GENERATOR_LOSS,
    P_REAL_OF_FAKE,
    P_REAL_OF_REAL,
)
from gandiag.records.record import Record
from gandiag.reports.course.lesson import Lesson, LessonRun
from gandiag.reports.figures import Picture, draw_confidence, draw_losses
from gandiag.reports.figures.plane import (
    PLANE_CAPTION,
    PlaneFrame,
    choose_frames,
    draw_plane_png,
    read_plane_frames,
    scale_arrows,
)
from gandiag.reports.grid_pictures import render_grid_png
from gandiag.reports.page.gallery import choose_grids, find_real_grid, load_real_points
from gandiag.reports.page.teaching import diff_settings
from gandiag.reports.report import Report
from gandiag.reports.report_text import format_verdict_sentence

MAX_FRAMES = 24  # pictures of a viewer: with 25 lessons, the site stays far below 40 MB
PLANE_SIDE = 280  # pixels of a picture of the plane, as wide as a viewer on a phone
THUMBNAIL_SIDE = 168  # pixels of a picture in the index
WEBP_QUALITY = 80  # digits and points stay sharp, at a third of the bytes of a PNG

# Numbers of the diagram: losses of both networks, what D says, and the gradient that G gets.
_SHOWN = {
    "discriminator": DISCRIMINATOR_LOSS,
    "generator": GENERATOR_LOSS,
    "real": P_REAL_OF_REAL,
    "fake": P_REAL_OF_FAKE,
    "auc": AUC,
    "gradient": GENERATOR_GRADIENT_NORM,
}


class ViewerFrame(NamedTuple):
    """A picture of the samples at a step, and the numbers of the diagram at this step as JSON."""

    step: int
    url: str
    numbers: str


class RunView(NamedTuple):
    """One run on the page of a lesson.

    Attributes:
        name: folder of the run's own page.
        title: what distinguishes the run.
        verdict: the diagnoses in one sentence.
        diagnoses: all diagnoses.
        diff: changed settings against the lesson's first run; empty for that one.
        frames: pictures over the training.
        caption: how to read the pictures.
        real_url: picture of real images; empty for points, which each frame shows.
        pictures: losses and P(real) over the training.
        claims: what the lesson claims, measured in this run.
        measured: newest numbers of the signals that the lesson compares over its runs.
    """

    name: str
    title: str
    verdict: str
    diagnoses: tuple[Diagnosis, ...]
    diff: str
    frames: tuple[ViewerFrame, ...]
    caption: str
    real_url: str
    pictures: tuple[Picture, ...]
    claims: tuple[Evidence, ...]
    measured: tuple[float, ...]


def build_run_view(run: LessonRun, report: Report, lesson: Lesson, title: str = "") -> RunView:
    """Gather what a lesson shows of a run.

    Args:
        run: the run.
        report: its report.
        lesson: the lesson that shows the run; settings are compared with its first run.
        title: title instead of the run's own.
    """
    record, first = report.record, lesson.runs[0]
    real = find_real_grid(record)
    is_plane = bool(read_plane_frames(record))
    pictures = (draw_losses(record, f"{run.name}-losses"), draw_confidence(record, f"{run.name}-p"))
    return RunView(
        run.name,
        title or run.title,
        format_verdict_sentence(report),
        report.diagnoses,
        "" if run is first else diff_settings(first.scenario, run.scenario),
        tuple(_list_frames(record)),
        PLANE_CAPTION if is_plane else "Each cell keeps its latent during the whole run.",
        "" if is_plane or real is None else encode_picture(real.read_bytes()),
        tuple(picture for picture in pictures if picture is not None),
        run.check(record),
        tuple(recent_median(record[signal].values) for signal in lesson.measured),
    )


def draw_thumbnail(record: Record) -> str:
    """The last samples as a small picture, as a data URL; empty if there are none."""
    # The plane shows more than the saved points: D's answer and the gradients at the samples.
    frames = read_plane_frames(record)
    if frames:
        return encode_picture(_draw_planes(record, frames[-1:], THUMBNAIL_SIDE)[0])
    grids = record.sample_grids()
    if not grids:
        return ""
    png = render_grid_png(grids[-1][1], find_real_grid(record))
    return encode_picture(png, THUMBNAIL_SIDE)


def encode_picture(png: bytes, side: int = 0) -> str:
    """Encode a picture as WebP data URL, shrunk to at most `side` pixels if that is positive."""
    from PIL import Image

    # Grey and palette pictures become RGB, the only mode that WebP and `thumbnail` both take.
    with Image.open(io.BytesIO(png)) as image:
        picture = image.convert("RGB")
    if side:
        picture.thumbnail((side, side))
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", quality=WEBP_QUALITY)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _list_frames(record: Record) -> Sequence[ViewerFrame]:
    frames = choose_frames(read_plane_frames(record), MAX_FRAMES)
    if frames:
        pictures = _draw_planes(record, frames, PLANE_SIDE)
        found = [(frame.step, png) for frame, png in zip(frames, pictures, strict=True)]
    else:
        real = find_real_grid(record)
        grids = choose_grids(record.sample_grids(), None, MAX_FRAMES)
        found = [(step, render_grid_png(path, real)) for step, path in grids]
    return [
        ViewerFrame(step, encode_picture(png), _read_numbers(record, step)) for step, png in found
    ]


def _draw_planes(record: Record, frames: Sequence[PlaneFrame], side: int) -> list[bytes]:
    everything = read_plane_frames(record)
    # All frames of a run share one scale of arrows, so that a vanishing gradient is seen to vanish.
    arrows = dict(zip((f.step for f in everything), scale_arrows(everything), strict=True))
    real = load_real_points(find_real_grid(record))
    wanted = {frame.step for frame in frames}
    return [
        draw_plane_png(frame, arrows[frame.step], real, side)
        for frame in everything
        if frame.step in wanted
    ]


def _read_numbers(record: Record, step: int) -> str:
    """The newest value of each number of the diagram at a step; what is missing is left out."""
    numbers = {}
    for name, signal in _SHOWN.items():
        # Pictures and numbers have different intervals: the newest number so far counts.
        steps, values = record[signal]
        index = int(np.searchsorted(steps, step, side="right")) - 1
        if index >= 0 and np.isfinite(values[index]):
            numbers[name] = float(f"{values[index]:.3g}")
    return json.dumps(numbers)
