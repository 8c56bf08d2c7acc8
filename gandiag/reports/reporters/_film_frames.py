"""One picture of a film: the samples beside the real ones, the step, and what is there by then."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

from gandiag.reports.figures.plane import FAKE, REAL
from gandiag.reports.figures.style import INK, LINE, MUTED, ORANGE, RED

PAPER = "#ffffff"
COLOURS = (
    PAPER,
    INK,
    MUTED,
    LINE,
    RED,
    ORANGE,
    FAKE,
    REAL,
)  # which a film keeps, whatever its samples look like
PAD, BAR, ROW = 12, 8, 20  # pixels: around everything, of the bar of time, of a line of text
LETTERS = 14  # pixels of a letter's height
NARROWEST = 320  # pixels, for the words below


class Story(NamedTuple):
    """What all pictures of a film have in common.

    Attributes:
        title: of the run.
        last_step: where it ended.
        found: conditions that are present, in words, with the step since when.
    """

    title: str
    last_step: int
    found: Sequence[tuple[str, int]]


def frame(samples: Image.Image, real: Image.Image | None, step: int, story: Story) -> Image.Image:
    """Compose the picture of a step, in colour on white."""
    panels = [("samples", samples)]
    if real is not None:
        panels.insert(0, ("real data", real))
    width = max(NARROWEST, PAD + sum(panel.width + PAD for _, panel in panels))
    height = max(panel.height for _, panel in panels)
    top = PAD + ROW
    below = top + height + ROW
    whole = Image.new("RGB", (width, below + PAD + BAR + ROW * len(story.found) + PAD), PAPER)
    draw = ImageDraw.Draw(whole)
    draw.font = ImageFont.load_default(LETTERS)
    counted = f"step {step}"
    draw.text((width - PAD, PAD), counted, INK, anchor="ra")
    room = width - 3 * PAD - draw.textlength(counted)
    draw.text((PAD, PAD), _shortened(draw, story.title, room), INK)
    left = (width - sum(panel.width for _, panel in panels) - PAD * (len(panels) - 1)) // 2
    for label, panel in panels:
        whole.paste(panel, (left, top))
        draw.text((left + panel.width // 2, top + height + 2), label, MUTED, anchor="ma")
        left += panel.width + PAD
    _tell_time(draw, (PAD, below + PAD, width - PAD, below + PAD + BAR), step, story)
    return whole


def _tell_time(
    draw: ImageDraw.ImageDraw, box: tuple[int, int, int, int], step: int, story: Story
) -> None:
    """A bar that fills as time goes by, red since the first onset; below it what is there."""
    left, top, right, bottom = box

    def place(moment: int) -> int:
        return left + round((right - left) * min(1.0, moment / max(story.last_step, 1)))

    draw.rectangle(box, LINE)
    draw.rectangle((left, top, place(step), bottom), MUTED)
    begun = [(condition, onset) for condition, onset in story.found if onset <= step]
    if begun:
        first = min(onset for _, onset in begun)
        draw.rectangle((place(first), top, place(step), bottom), RED)
    for row, (condition, onset) in enumerate(begun):
        draw.text((left, bottom + 4 + ROW * row), f"{condition} since step {onset}", RED)


def _shortened(draw: ImageDraw.ImageDraw, text: str, room: float) -> str:
    """As much of a text as there is room for."""
    if draw.textlength(text) <= room:
        return text
    while text and draw.textlength(f"{text}...") > room:
        text = text[:-1]
    return f"{text}..."
