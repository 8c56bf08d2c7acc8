"""Writes the samples over the training as an animated GIF."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from pydantic import PositiveFloat, PositiveInt

from gandiag.diagnosis.diagnosis import humanize
from gandiag.plugins.errors import BadInput
from gandiag.records.storage import write_file
from gandiag.reports.formatting import FILM_FILE
from gandiag.reports.report import Report

if TYPE_CHECKING:
    from PIL.Image import Image


LAST_FRAME_DURATION = 2000  # milliseconds; time to see the final samples before the film restarts
#: Duration of any other frame in milliseconds. Some viewers show frames below 20 ms slowly.
MIN_FRAME_DURATION, MAX_FRAME_DURATION = 40, 1000
MIN_FRAMES = 12  # a file that is too large gets fewer frames down to this number, then smaller ones
MIN_FRAME_WIDTH = 100  # pixels; smaller samples cannot be recognised
SAMPLE_COLOURS = 96  # in the palette; a GIF has at most 256, and its size grows with their number

Item = TypeVar("Item")


@dataclass(frozen=True)
class Film:
    """Writes ``film.gif``: the samples over the training, beside real samples."""

    # The film has at most this many frames, spread evenly over the recorded sample grids.
    pictures: PositiveInt = 60
    # The film lasts this many seconds from the first frame to the last.
    seconds: PositiveFloat = 8.0
    # The picture of the samples is at most this many pixels wide and high.
    side: PositiveInt = 320
    # A file above this size (in MB) gets fewer frames, then smaller ones, so that it can be shared.
    megabytes: PositiveFloat = 3.0

    def publish(self, report: Report, folder: Path) -> str:
        """Write the film and return its path; a terminal shows a progress bar.

        Raises:
            BadInput: the run has fewer than two readable sample grids.
        """
        frames = self.draw_frames(report)
        # One picture shows no change, so the message names the command that records more.
        if len(frames) < 2:
            found = "one sample grid" if frames else "no sample grid"
            problem = f"nothing to film: the run has {found}; gandiag run --film keeps many"
            raise BadInput(str(report.record.folder or folder), problem)
        folder.mkdir(parents=True, exist_ok=True)
        write_file(folder / FILM_FILE, self._fit_to_limit(frames))
        return str(folder / FILM_FILE)

    def draw_frames(self, report: Report) -> list[Image]:
        """Draw the frames of the film, without those whose sample grid cannot be read."""
        from gandiag.plugins.terminal import error_console, progress_bar
        from gandiag.reports.reporters._film_frames import FilmFacts, draw_frame
        from gandiag.reports.reporters._film_scenes import draw_real_samples, list_scenes

        record = report.record
        scenes = _select_evenly(list_scenes(record, self.side), self.pictures)
        real = draw_real_samples(record, self.side)
        failures = sorted(
            (diagnosis.onset or 0, humanize(diagnosis.condition))
            for diagnosis in report.diagnoses
            if diagnosis.status == "present" and diagnosis.about != "loop"
        )
        names = [(name, onset) for onset, name in failures]
        facts = FilmFacts(report.title, record.last_step, names)
        frames = []
        with progress_bar(error_console(), transient=True) as bar:
            for scene in bar.track(scenes, description="Filming"):
                try:
                    frames.append(draw_frame(scene.draw(), real, scene.step, facts))
                except (OSError, ValueError):  # a damaged file, or one that gandiag did not write
                    continue
        return frames

    def _fit_to_limit(self, frames: Sequence[Image]) -> bytes:
        """Encode the frames as a GIF of at most `megabytes`; drop, then shrink frames if needed."""
        limit = self.megabytes * 1e6
        while True:
            data = _encode_gif(frames, self.seconds)
            if len(data) <= limit or frames[0].width <= MIN_FRAME_WIDTH:
                return data
            # The size is about proportional to the number of frames.
            if len(frames) > MIN_FRAMES:
                count = int(len(frames) * limit / len(data))
                frames = _select_evenly(frames, max(MIN_FRAMES, count))
            else:
                frames = [image.reduce(2) for image in frames]


def _encode_gif(frames: Sequence[Image], seconds: float) -> bytes:
    from PIL import Image

    palette = _build_palette(frames)
    # One palette without dithering: changing colours and patterns would flicker between frames.
    drawn = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in frames]
    duration = min(MAX_FRAME_DURATION, max(MIN_FRAME_DURATION, round(1000 * seconds / len(frames))))
    durations = [duration] * (len(frames) - 1) + [LAST_FRAME_DURATION]
    buffer = io.BytesIO()
    drawn[0].save(buffer, "GIF", save_all=True, append_images=drawn[1:], duration=durations, loop=0)
    return buffer.getvalue()


def _build_palette(frames: Sequence[Image]) -> Image:
    """Colours of a film: those of its texts and points, and those of the samples of six frames."""
    from PIL import Image, ImageColor

    from gandiag.reports.reporters._film_frames import COLOURS

    selected = _select_evenly(frames, 6)
    stacked = Image.new("RGB", (selected[0].width, sum(image.height for image in selected)))
    for index, image in enumerate(selected):
        stacked.paste(image, (0, index * selected[0].height))
    of_samples = stacked.quantize(SAMPLE_COLOURS).getpalette() or []
    of_texts = [part for colour in COLOURS for part in ImageColor.getrgb(colour)]
    palette = Image.new("P", (1, 1))
    palette.putpalette([*of_texts, *of_samples[: 3 * SAMPLE_COLOURS]])
    return palette


def _select_evenly(items: Sequence[Item], count: int) -> list[Item]:
    """Select at most `count` items at even distances, the first and the last included.

    >>> _select_evenly(range(0, 101, 10), 3)
    [0, 50, 100]
    """
    if len(items) <= count:
        return list(items)
    return [items[i] for i in np.linspace(0, len(items) - 1, count).round().astype(int)]
