"""What is written can be read: contrasts of the page's colours by WCAG 2.2's own formula.

A browser's checker cannot decide about text in figures, over canvases and in what is scrolled or
folded; the style sheet says which colours meet there.
"""

from __future__ import annotations

import re

import pytest

from gandiag.reports.figures import style as figures
from gandiag.reports.server.style import read_style_sheet

TEXT, GRAPHICS = 4.5, 3.0  # success criteria 1.4.3 and 1.4.11, level AA
WRITTEN = [  # what is written, and on what
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
    """Ratio of two colours, 1 to 21."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def colours() -> dict[str, dict[str, str]]:
    """The style sheet's colours by name: in light, in the dark, on paper."""
    blocks = re.findall(r":root \{(.*?)\}", read_style_sheet(), flags=re.S)
    found = [dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block)) for block in blocks]
    return dict(zip(("light", "dark", "print"), found, strict=False))


def test_formula_is_right() -> None:
    """Black on white is 21 to 1, a colour on itself 1 to 1, and grey 118 the last to reach 4.5."""
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#bf4f00", "#bf4f00") == 1
    assert contrast("#767676", "#ffffff") >= TEXT > contrast("#777777", "#ffffff")


@pytest.mark.parametrize("scheme", ["light", "dark", "print"])
def test_text_can_be_read(scheme: str) -> None:
    """Every colour of letters stands out from every paper that it is written on."""
    known = colours()[scheme]
    weak = {
        pair: round(contrast(known[pair[0]], known[pair[1]]), 2)
        for pair in WRITTEN
        if contrast(known[pair[0]], known[pair[1]]) < TEXT
    }
    assert weak == {}


@pytest.mark.parametrize("scheme", ["light", "dark", "print"])
def test_curves_can_be_seen(scheme: str) -> None:
    """Every colour of lines and bars stands out from the page."""
    known = colours()[scheme]
    weak = [name for name in DRAWN if contrast(known[name], known["paper"]) < GRAPHICS]
    assert weak == []


def test_every_colour_of_a_figure_follows_the_page() -> None:
    """What a figure is drawn in is a variable of the page in each scheme, lest it stay light."""
    names = {name.removeprefix("--") for name in figures._VARIABLES.values()}
    for scheme, known in colours().items():
        assert names <= set(known), scheme


def test_schemes_name_the_same_colours() -> None:
    """No colour of the page is forgotten in the dark or in print."""
    light, *others = colours().values()
    assert all(set(other) == set(light) for other in others)
