"""The samples over training as a moving picture."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from pydantic import PositiveFloat, PositiveInt

from gandiag.diagnosis.diagnosis import Diagnosis
from gandiag.plugins.errors import BadInput
from gandiag.records.record import write_file
from gandiag.reports.formatting import FILM, plain
from gandiag.reports.report import Report

if TYPE_CHECKING:
    from PIL.Image import Image


HELD = 2000  # milliseconds that the last picture stays
SHORTEST, LONGEST = 40, 1000  # milliseconds of any other: less is skipped by some, more is dull
FEWEST = 12  # pictures that a file too large is shortened to, before they are made smaller
SMALLEST = 100  # pixels of width that a picture keeps
SHADES = 96  # of the samples: a GIF has at most 256 colours, and takes more room for each

Item = TypeVar("Item")


@dataclass(frozen=True)
class Film:
    """Writes ``film.gif``: the samples over training, beside the real ones."""

    pictures: PositiveInt = 60  # at most, spread evenly over those that the run left behind
    seconds: PositiveFloat = 8.0  # from the first picture to the last
    side: PositiveInt = 320  # pixels of the samples' longer side, at most
    megabytes: PositiveFloat = 3.0  # of the file, at most: it gets fewer pictures, then smaller

    def publish(self, report: Report, folder: Path) -> str:
        """Write the film whole and return its path; a terminal is shown how far it is.

        Raises:
            BadInput: there are no two pictures to show one after the other.
        """
        frames = self.frames(report)
        if len(frames) < 2:
            found = "one sheet of samples" if frames else "no sheet of samples"
            problem = f"nothing to film: the run left {found} behind; gandiag run --film keeps many"
            raise BadInput(str(report.record.folder or folder), problem)
        folder.mkdir(parents=True, exist_ok=True)
        write_file(folder / FILM, self._packed(frames))
        return str(folder / FILM)

    def frames(self, report: Report) -> list[Image]:
        """The film's pictures, less those of which nothing can be read."""
        from rich.console import Console
        from rich.progress import track

        from gandiag.reports.reporters._film_frames import Story, frame
        from gandiag.reports.reporters._film_scenes import real_picture, scenes_of

        record = report.record
        scenes = _spread(scenes_of(record, self.side), self.pictures)
        real = real_picture(record, self.side)
        found = [(d.onset or 0, plain(d.condition)) for d in report.diagnoses if _there(d)]
        story = Story(report.title, record.last_step, [(name, at) for at, name in sorted(found)])
        told = Console(stderr=True)
        frames = []
        for scene in track(
            scenes, "Filming", console=told, transient=True, disable=not told.is_terminal
        ):
            try:
                frames.append(frame(scene.picture(), real, scene.step, story))
            except (OSError, ValueError):  # an interrupted or foreign file
                continue
        return frames

    def _packed(self, frames: Sequence[Image]) -> bytes:
        """The pictures as a GIF that is small enough."""
        limit = self.megabytes * 1e6
        while True:
            data = _gif(frames, self.seconds)
            if len(data) <= limit or frames[0].width <= SMALLEST:
                return data
            fitting = int(len(frames) * limit / len(data))
            if len(frames) > FEWEST:
                frames = _spread(frames, max(FEWEST, fitting))
            else:
                frames = [image.reduce(2) for image in frames]


def _gif(frames: Sequence[Image], seconds: float) -> bytes:
    from PIL import Image

    palette = _palette(frames)
    drawn = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in frames]
    each = min(LONGEST, max(SHORTEST, round(1000 * seconds / len(frames))))
    times = [each] * (len(frames) - 1) + [HELD]
    buffer = io.BytesIO()
    drawn[0].save(buffer, "GIF", save_all=True, append_images=drawn[1:], duration=times, loop=0)
    return buffer.getvalue()


def _palette(frames: Sequence[Image]) -> Image:
    """Colours for all pictures of a film: those of some of them, and those of its own words."""
    from PIL import Image, ImageColor

    from gandiag.reports.reporters._film_frames import COLOURS

    some = _spread(frames, 6)
    together = Image.new("RGB", (some[0].width, sum(image.height for image in some)))
    for index, image in enumerate(some):
        together.paste(image, (0, index * some[0].height))
    seen = together.quantize(SHADES).getpalette() or []
    own = [part for colour in COLOURS for part in ImageColor.getrgb(colour)]
    palette = Image.new("P", (1, 1))
    palette.putpalette([*own, *seen[: 3 * SHADES]])
    return palette


def _spread(items: Sequence[Item], count: int) -> list[Item]:
    """At most so many of them, the first and the last among them.

    >>> _spread(range(0, 101, 10), 3)
    [0, 50, 100]
    """
    if len(items) <= count:
        return list(items)
    return [items[i] for i in np.linspace(0, len(items) - 1, count).round().astype(int)]


def _there(diagnosis: Diagnosis) -> bool:
    return diagnosis.status == "present" and diagnosis.about == "game"
