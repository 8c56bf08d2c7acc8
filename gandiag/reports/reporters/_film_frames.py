"""Draws one frame of a film: samples, real samples, a progress bar and the failures so far."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

from gandiag.reports.figures.plane import REAL_POINTS_COLOUR, SAMPLES_COLOUR
from gandiag.reports.figures.style import INK, LINE, MUTED, ORANGE, RED

BACKGROUND = "#ffffff"
#: Colours of texts and points, which the film's palette always contains, whatever the samples are.
COLOURS = (BACKGROUND, INK, MUTED, LINE, RED, ORANGE, SAMPLES_COLOUR, REAL_POINTS_COLOUR)
PADDING, BAR_HEIGHT, ROW_HEIGHT = 12, 8, 20  # pixels
FONT_SIZE = 14  # pixels
MIN_WIDTH = 320  # pixels; leaves room for the name of a failure and its onset


class FilmFacts(NamedTuple):
    """Facts that all frames of a film show.

    Attributes:
        title: title of the run.
        last_step: last generator step of the run.
        failures: name and onset of each failure that is present.
    """

    title: str
    last_step: int
    failures: Sequence[tuple[str, int]]


def draw_frame(
    samples: Image.Image, real: Image.Image | None, step: int, facts: FilmFacts
) -> Image.Image:
    """Draw the frame of a step, in colour on white.

    Args:
        samples: picture of the generated samples.
        real: picture of the real samples, shown at the left; None if they are part of `samples`.
        step: generator step of the samples.
        facts: facts that all frames show.
    """
    panels = [("samples", samples)]
    if real is not None:
        panels.insert(0, ("real data", real))
    width = max(MIN_WIDTH, PADDING + sum(panel.width + PADDING for _, panel in panels))
    height = max(panel.height for _, panel in panels)
    top = PADDING + ROW_HEIGHT
    below = top + height + ROW_HEIGHT
    # All frames of a GIF have one size, so there is room for every failure from the first frame on.
    text_height = ROW_HEIGHT * len(facts.failures)
    size = (width, below + PADDING + BAR_HEIGHT + text_height + PADDING)
    frame = Image.new("RGB", size, BACKGROUND)
    draw = ImageDraw.Draw(frame)
    draw.font = ImageFont.load_default(FONT_SIZE)
    step_text = f"step {step}"
    draw.text((width - PADDING, PADDING), step_text, INK, anchor="ra")
    room = width - 3 * PADDING - draw.textlength(step_text)
    draw.text((PADDING, PADDING), _shorten(draw, facts.title, room), INK)
    left = (width - sum(panel.width for _, panel in panels) - PADDING * (len(panels) - 1)) // 2
    for label, panel in panels:
        frame.paste(panel, (left, top))
        draw.text((left + panel.width // 2, top + height + 2), label, MUTED, anchor="ma")
        left += panel.width + PADDING
    bar = (PADDING, below + PADDING, width - PADDING, below + PADDING + BAR_HEIGHT)
    _draw_progress(draw, bar, step, facts)
    return frame


def _draw_progress(
    draw: ImageDraw.ImageDraw, bar: tuple[int, int, int, int], step: int, facts: FilmFacts
) -> None:
    """Draw a progress bar, red from the first onset on, and below it the failures so far."""
    left, top, right, bottom = bar

    # A sample grid may be later than the last step of any signal, hence the limit of 1.
    def to_pixel(at_step: int) -> int:
        return left + round((right - left) * min(1.0, at_step / max(facts.last_step, 1)))

    draw.rectangle(bar, LINE)
    draw.rectangle((left, top, to_pixel(step), bottom), MUTED)
    so_far = [(condition, onset) for condition, onset in facts.failures if onset <= step]
    if so_far:
        first = min(onset for _, onset in so_far)
        draw.rectangle((to_pixel(first), top, to_pixel(step), bottom), RED)
    for row, (condition, onset) in enumerate(so_far):
        draw.text((left, bottom + 4 + ROW_HEIGHT * row), f"{condition} since step {onset}", RED)


def _shorten(draw: ImageDraw.ImageDraw, text: str, room: float) -> str:
    """Cut a text to a width in pixels; a cut text ends with three dots."""
    if draw.textlength(text) <= room:
        return text
    while text and draw.textlength(f"{text}...") > room:
        text = text[:-1]
    return f"{text}..."
