from __future__ import annotations

import math
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gandiag import figures
from gandiag.diagnosis import Diagnosis, Evidence, weigh
from gandiag.figures.curves import is_measured_on
from gandiag.figures.style import RED
from gandiag.record import Record, Row, Signal

NAME = "a/b/generator"


def record_of(values: list[float]) -> Record:
    """A record of one signal, a value a step."""
    return Record.from_rows(Row(step, {NAME: value}) for step, value in enumerate(values))


def asked(record: Record, evidence: Evidence) -> Diagnosis:
    """A diagnosis that rests on one piece of evidence."""
    return Diagnosis("some_thing", "present", "", "kind", 1, evidence=(evidence,))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(allow_nan=True, allow_infinity=True, width=32), max_size=3000),
    st.integers(6, 600),
)
def test_thinning_keeps_extremes(values: list[float], most: int) -> None:
    """However short the curve becomes, its peaks, ends and oddities stay."""
    array = np.asarray(values, float)
    steps, kept = figures.thin(np.arange(len(array)), array, most)
    assert len(kept) <= max(most, 6)
    assert np.all(np.diff(steps) > 0)
    finite = array[np.isfinite(array)]
    if len(array) > most and len(finite):
        assert kept[np.isfinite(kept)].max() == finite.max()
        assert kept[np.isfinite(kept)].min() == finite.min()
    assert np.isfinite(kept).all() == np.isfinite(array).all()
    assert np.array_equal(array[steps], kept, equal_nan=True)


@pytest.mark.parametrize(
    "values",
    [
        [1.0],
        [0.0] * 5,
        [math.nan] * 5,
        [1.0, math.inf, -math.inf, math.nan, 2.0],
        [1e-300, 1e300, 0.0],
        [-5.0, 1e6],
        [1e308, -1e308],
    ],
)
def test_any_values_are_drawn(values: list[float]) -> None:
    """There is no signal without a figure, and each is well-formed."""
    record = record_of(values)
    evidence = weigh(NAME, record[NAME].values, "<", 0.5, "what it is")
    picture = figures.evidence_figure(record, asked(record, evidence), evidence, "x")
    assert picture is not None
    ET.fromstring(picture.svg.replace("xlink:href", "href"))
    strange = len(values) - int(np.isfinite(values).sum())
    assert (f"{strange} values that are not finite" in picture.caption) == bool(strange)


def test_threshold_line_is_drawn() -> None:
    """The gate, the side that speaks for the condition and the onset are in the figure."""
    record = record_of([0.9, 0.8, 0.3, 0.2, 0.1])
    evidence = weigh(NAME, record[NAME].values, "<", 0.5, "what it is")
    picture = figures.evidence_figure(record, asked(record, evidence), evidence, "x")
    assert picture is not None
    assert "&lt; 0.5" in picture.svg
    assert "since 1" in picture.svg
    assert "below the dashed line" in picture.caption


def test_derived_number_gets_no_line() -> None:
    """A threshold of another scale is not drawn over a signal; the caption says so."""
    record = record_of([5.0, 6.0, 7.0])
    evidence = Evidence(NAME, 0.1, ">", 0.5, False, "rise over the best")
    diagnosis = asked(record, evidence)
    assert not is_measured_on(record, diagnosis, evidence)
    picture = figures.evidence_figure(record, diagnosis, evidence, "x")
    assert picture is not None
    assert "&gt; 0.5" not in picture.svg
    assert "is not drawn" in picture.caption


def test_median_at_anothers_steps_counts() -> None:
    """A number read at the steps of slower evidence still belongs to its own signal."""
    rows = [Row(i, {NAME: float(i % 7), **({"c/d": 1.0} if i % 5 == 0 else {})}) for i in range(60)]
    record = Record.from_rows(rows)
    slow = record["c/d"].steps
    fast = weigh(NAME, record.at(NAME, slow), "<", 2.2, "fast", 4)
    other = weigh("c/d", record["c/d"].values, "<", 2.0, "slow")
    both = Diagnosis("some_thing", "absent", "", evidence=(fast, other))
    assert is_measured_on(record, both, fast)


def test_missing_signals_have_no_figure() -> None:
    """What was not recorded is left out."""
    record = record_of([1.0])
    evidence = Evidence("not/there", math.nan, ">", 0.5, False, "nothing")
    assert figures.evidence_figure(record, asked(record, evidence), evidence, "x") is None
    assert figures.loss_figure(record, "l") is None
    assert figures.confidence_figure(record, "c") is None


def test_figures_leave_no_trace() -> None:
    """Drawing changes no setting of matplotlib and opens no figure in pyplot."""
    import matplotlib
    from matplotlib import pyplot

    before = dict(matplotlib.rcParams)
    signal = Signal(np.arange(5), np.random.default_rng(0).uniform(size=(5, 3)))
    first = figures.heatmap_figure(signal, "a", "title", [0.3, 0.3, 0.4], 2)
    assert figures.heatmap_figure(signal, "a", "title", [0.3, 0.3, 0.4], 2) == first
    assert dict(matplotlib.rcParams) == before
    assert pyplot.get_fignums() == []


@pytest.mark.parametrize("shape", [(0, 2), (5, 2), (5, 1), (5, 3)])
def test_points_of_any_width(shape: tuple[int, int]) -> None:
    """Points on a line, in the plane or in space are drawn, and none at all too."""
    points = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    assert "<svg" in figures.scatter_figure(points, points, "p", "").svg
    assert figures.scatter_png(points, points, "p").startswith(b"\x89PNG")


def test_outliers_stay_in_sight() -> None:
    """A sample far from the real data is marked at the edge and counted, not cut off."""
    real = np.random.default_rng(0).normal(size=(50, 2)).astype(np.float32)
    points = real.copy()
    points[:3] = 1e6
    picture = figures.scatter_figure(points, real, "p", "")
    assert "at the edge: 3." in picture.caption
    assert RED in picture.svg
    assert RED not in figures.scatter_figure(real, real, "p", "").svg
