"""Names in figures stand apart, where they can be read, and what lies outside a view is told."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from gandiag.diagnosis.diagnosis import Diagnosis, compare_median
from gandiag.records.record import Record, Row
from gandiag.reports.figures import Picture, draw_evidence
from gandiag.reports.figures.plane import PlaneFrame, draw_plane
from gandiag.reports.figures.variants import CostPoint, Interval, draw_cost

EFFECTIVE = "diversity/effective_modes/generator"  # 1 for real data


def places(picture: Picture, *texts: str) -> list[tuple[float, float]]:
    """Where texts stand in a figure, in its points, y downwards."""
    root = ET.fromstring(picture.svg.replace("xlink:href", "href"))
    found: dict[str, tuple[float, float]] = {}
    for element in root.iter("{http://www.w3.org/2000/svg}text"):
        moved = re.search(r"translate\(([-\d.]+) ([-\d.]+)\)", element.get("transform", ""))
        x, y = moved.groups() if moved else (element.get("x", "nan"), element.get("y", "nan"))
        found[(element.text or "").strip()] = (float(x), float(y))
    return [found[text] for text in texts]


def quiver(picture: Picture) -> str:
    """The group of a figure's arrows."""
    return picture.svg.split('Quiver_1">')[1].split("</g>")[0]


def arrows_in(picture: Picture) -> int:
    """How many arrows are drawn."""
    return quiver(picture).count("<use ")


def even(value: float) -> Interval:
    """An interval of a tenth to either side."""
    return Interval(value, 0.9 * value, 1.1 * value)


def test_names_of_arms_stand_apart() -> None:
    """Two arms in nearly one place have their names below each other, inside the panel."""
    spots = [
        CostPoint("untreated", even(1.0), even(2.2)),
        CostPoint("r1", even(0.95), even(2.1)),
        CostPoint("minibatch_discrimination", even(3.0), even(0.03)),
    ]
    picture = draw_cost(spots, "energy distance", "cost")
    assert picture is not None
    names = places(picture, *(spot.name for spot in spots))
    assert abs(names[0][1] - names[1][1]) >= 7.5  # points: the letters' size
    assert all(0 < x < 4.6 * 72 and 0 < y < 3.2 * 72 for x, y in names)


@pytest.mark.parametrize("threshold", [0.1, 0.98, 1.02])
def test_names_of_lines_stand_apart(threshold: float) -> None:
    """The names of threshold and real data can both be read, however close the two lines are."""
    rows = [Row(step, {EFFECTIVE: 0.5 + step / 100}) for step in range(100)]
    record = Record.from_rows(rows)
    evidence = compare_median(EFFECTIVE, record[EFFECTIVE].values, "<", threshold, "modes")
    diagnosis = Diagnosis("mode_collapse", "absent", "", evidence=(evidence,))
    picture = draw_evidence(record, diagnosis, evidence, "a")
    assert picture is not None
    gate, real = places(picture, f"< {threshold:g}", "real")
    assert abs(gate[1] - real[1]) >= 7.5
    assert (gate[1] < real[1]) == (threshold > 1)  # each on the side of its line


def test_samples_outside_the_view_are_told() -> None:
    """What left the plane is drawn at its edge, without an arrow, and counted."""
    nothing = np.empty((0, 2))
    fakes = np.array([[0.0, 0.0], [9.0, 0.0], [0.0, -9.0]])
    look = PlaneFrame(5, (-1.0, 1.0), fakes, np.ones((3, 2)), np.empty((0, 4, 2)), np.empty((0, 0)))
    inside = look._replace(fakes=fakes[:1], descent=np.ones((1, 2)))
    picture = draw_plane(look, np.ones((3, 2)), nothing, "a")
    assert picture.caption == "Squares at the edge: 2 samples further out."
    assert draw_plane(inside, np.ones((1, 2)), nothing, "a").caption == ""
    one = look._replace(fakes=fakes[:2], descent=np.ones((2, 2)))
    assert "1 sample further" in draw_plane(one, np.ones((2, 2)), nothing, "a").caption
    assert arrows_in(picture) == 1


def test_an_arrow_points_where_the_pull_goes() -> None:
    """From the sample's place it reaches as far as the pull; a sample without one has no arrow."""
    fakes = np.array([[0.0, 0.0], [0.5, 0.5]])
    pull = np.array([[0.4, 0.0], [0.0, 0.0]])
    look = PlaneFrame(5, (-1.0, 1.0), fakes, pull, np.empty((0, 4, 2)), np.empty((0, 0)))
    picture = draw_plane(look, pull, np.empty((0, 2)), "a")
    assert arrows_in(picture) == 1
    outline = quiver(picture).split(' d="')[1].split('"')[0]
    x, y = np.array(re.findall(r"(-?[\d.]+) (-?[\d.]+)", outline), float).T
    side = float(picture.svg.split('<rect x="')[1].split('width="')[1].split('"')[0])
    assert x.max() == pytest.approx(0.4 / 2 * side, abs=0.02)
    assert x.min() == y[x.argmax()] == 0
