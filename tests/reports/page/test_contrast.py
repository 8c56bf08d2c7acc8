"""Contrast of the page's colours, by the formula of WCAG 2.2.

A checker in the browser cannot decide the contrast of text in figures, over canvases, and in closed
details. These tests compare the colours of the style sheet instead.
"""

from __future__ import annotations

import re

import pytest

from gandiag.reports.figures import style as figures
from gandiag.reports.server.style import read_style_sheet

TEXT, GRAPHICS = 4.5, 3.0  # success criteria 1.4.3 and 1.4.11, level AA
WRITTEN = [  # (colour of the text, colour of its background)
    *((ink, paper) for ink in ("ink", "muted", "blue") for paper in ("paper", "card")),
    *((what, f"{what}-paper") for what in ("bad", "good", "unsure")),
    *((what, paper) for what in ("bad", "good") for paper in ("paper", "card")),
    ("ink", "unsure-paper"),  # notes
    ("red", "paper"),  # names of thresholds and onsets in figures
    ("paper", "blue"),  # buttons
]
DRAWN = ("blue", "orange", "green", "red", "muted")


def luminance(colour: str) -> float:
    """Relative luminance of ``#rrggbb``."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours, 1 to 21."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def colours() -> dict[str, dict[str, str]]:
    """Colours of the style sheet by name: light, dark, and in print."""
    blocks = re.findall(r":root \{(.*?)\}", read_style_sheet(), flags=re.S)
    found = [dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block)) for block in blocks]
    return dict(zip(("light", "dark", "print"), found, strict=False))


def test_formula_is_right() -> None:
    """Black on white is 21 to 1, a colour on itself 1 to 1, and grey 118 is the last above 4.5."""
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#bf4f00", "#bf4f00") == 1
    assert contrast("#767676", "#ffffff") >= TEXT > contrast("#777777", "#ffffff")


@pytest.mark.parametrize("scheme", ["light", "dark", "print"])
def test_text_can_be_read(scheme: str) -> None:
    """Every colour of text has enough contrast with each of its backgrounds."""
    known = colours()[scheme]
    weak = {
        pair: round(contrast(known[pair[0]], known[pair[1]]), 2)
        for pair in WRITTEN
        if contrast(known[pair[0]], known[pair[1]]) < TEXT
    }
    assert weak == {}


@pytest.mark.parametrize("scheme", ["light", "dark", "print"])
def test_curves_can_be_seen(scheme: str) -> None:
    """Every colour of lines and bars has enough contrast with the page."""
    known = colours()[scheme]
    weak = [name for name in DRAWN if contrast(known[name], known["paper"]) < GRAPHICS]
    assert weak == []


def test_every_colour_of_a_figure_follows_the_page() -> None:
    """Every colour of a figure is a variable of the page in each scheme."""
    names = {name.removeprefix("--") for name in figures._VARIABLES.values()}
    for scheme, known in colours().items():
        assert names <= set(known), scheme


def test_schemes_name_the_same_colours() -> None:
    """Light, dark and print define the same colours."""
    light, *others = colours().values()
    assert all(set(other) == set(light) for other in others)
