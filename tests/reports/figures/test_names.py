"""Names in figures do not overlap, and samples outside the view are counted."""

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
    """Positions of texts in a figure, in points, y downwards."""
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
    """Number of drawn arrows."""
    return quiver(picture).count("<use ")


def even(value: float) -> Interval:
    """An interval of 10 % to each side."""
    return Interval(value, 0.9 * value, 1.1 * value)


def test_names_of_variants_do_not_overlap() -> None:
    """Names of two close points are below each other, and inside the panel."""
    points = [
        CostPoint("baseline", even(1.0), even(2.2)),
        CostPoint("r1", even(0.95), even(2.1)),
        CostPoint("minibatch_discrimination", even(3.0), even(0.03)),
    ]
    picture = draw_cost(points, "energy distance", "cost")
    assert picture is not None
    names = places(picture, *(point.name for point in points))
    assert abs(names[0][1] - names[1][1]) >= 7.5  # the font size in points
    assert all(0 < x < 4.6 * 72 and 0 < y < 3.2 * 72 for x, y in names)


@pytest.mark.parametrize("threshold", [0.1, 0.98, 1.02])
def test_names_of_lines_do_not_overlap(threshold: float) -> None:
    """The names of threshold and baseline do not overlap, also if the two lines are close."""
    rows = [Row(step, {EFFECTIVE: 0.5 + step / 100}) for step in range(100)]
    record = Record.from_rows(rows)
    evidence = compare_median(EFFECTIVE, record[EFFECTIVE].values, "<", threshold, "modes")
    diagnosis = Diagnosis("mode_collapse", "absent", "", evidence=(evidence,))
    picture = draw_evidence(record, diagnosis, evidence, "a")
    assert picture is not None
    limit, real = places(picture, f"< {threshold:g}", "real")
    assert abs(limit[1] - real[1]) >= 7.5
    assert (limit[1] < real[1]) == (threshold > 1)  # each name is on the side of its line


def test_samples_outside_the_view_are_counted() -> None:
    """A sample outside the view is drawn at the edge without an arrow, and counted."""
    nothing = np.empty((0, 2))
    fakes = np.array([[0.0, 0.0], [9.0, 0.0], [0.0, -9.0]])
    frame = PlaneFrame(
        5, (-1.0, 1.0), fakes, np.ones((3, 2)), np.empty((0, 4, 2)), np.empty((0, 0))
    )
    inside = frame._replace(fakes=fakes[:1], descent=np.ones((1, 2)))
    picture = draw_plane(frame, np.ones((3, 2)), nothing, "a")
    assert picture.caption == "Squares at the edge: 2 samples outside the view."
    assert draw_plane(inside, np.ones((1, 2)), nothing, "a").caption == ""
    one = frame._replace(fakes=fakes[:2], descent=np.ones((2, 2)))
    assert "1 sample outside" in draw_plane(one, np.ones((2, 2)), nothing, "a").caption
    assert arrows_in(picture) == 1


def test_arrow_equals_the_gradient() -> None:
    """An arrow begins at the sample and ends at the scaled gradient; a zero one is not drawn."""
    fakes = np.array([[0.0, 0.0], [0.5, 0.5]])
    arrows = np.array([[0.4, 0.0], [0.0, 0.0]])
    frame = PlaneFrame(5, (-1.0, 1.0), fakes, arrows, np.empty((0, 4, 2)), np.empty((0, 0)))
    picture = draw_plane(frame, arrows, np.empty((0, 2)), "a")
    assert arrows_in(picture) == 1
    outline = quiver(picture).split(' d="')[1].split('"')[0]
    x, y = np.array(re.findall(r"(-?[\d.]+) (-?[\d.]+)", outline), float).T
    side = float(picture.svg.split('<rect x="')[1].split('width="')[1].split('"')[0])
    assert x.max() == pytest.approx(0.4 / 2 * side, abs=0.02)
    assert x.min() == y[x.argmax()] == 0
