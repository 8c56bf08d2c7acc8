"""Figures: every record can be drawn, and captions explain what the figure shows."""

from __future__ import annotations

import base64
import json
import math
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gandiag.diagnosis.diagnosis import Diagnosis, Evidence, compare_median
from gandiag.diagnosis.stability import Evaluation
from gandiag.records.record import Record, Row, Signal
from gandiag.reports import figures
from gandiag.reports.figures.curves import is_on_signal_scale
from gandiag.reports.figures.explore import Chart, build_bokeh_document, pack_numbers, pack_signals
from gandiag.reports.figures.paired import PairedEvidence
from gandiag.reports.figures.plane import (
    MAX_ARROW_LENGTH,
    PlaneFrame,
    choose_frames,
    draw_plane,
    read_plane_frames,
    scale_arrows,
)
from gandiag.reports.figures.plane_chart import build_plane_document
from gandiag.reports.figures.style import RED

NAME = "a/b/generator"


def record_of(values: list[float]) -> Record:
    """A record of one signal, a value a step."""
    return Record.from_rows(Row(step, {NAME: value}) for step, value in enumerate(values))


def diagnose_with(record: Record, evidence: Evidence) -> Diagnosis:
    """A diagnosis that rests on one piece of evidence."""
    return Diagnosis("some_thing", "present", "", "kind", 1, evidence=(evidence,))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(allow_nan=True, allow_infinity=True, width=32), max_size=3000),
    st.integers(6, 600),
)
def test_thinning_keeps_extremes(values: list[float], most: int) -> None:
    """A thinned curve keeps its extremes, its ends, and values that are not finite."""
    array = np.asarray(values, float)
    steps, kept = figures.thin_curve(np.arange(len(array)), array, most)
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
    """Every signal has a figure of well-formed SVG."""
    record = record_of(values)
    evidence = compare_median(NAME, record[NAME].values, "<", 0.5, "what it is")
    picture = figures.draw_evidence(record, diagnose_with(record, evidence), evidence, "x")
    assert picture is not None
    ET.fromstring(picture.svg.replace("xlink:href", "href"))
    count = len(values) - int(np.isfinite(values).sum())
    assert (f"{count} values that are not finite" in picture.caption) == bool(count)


def test_threshold_line_is_drawn() -> None:
    """The figure has the threshold, the shaded side, and the onset."""
    record = record_of([0.9, 0.8, 0.3, 0.2, 0.1])
    evidence = compare_median(NAME, record[NAME].values, "<", 0.5, "what it is")
    picture = figures.draw_evidence(record, diagnose_with(record, evidence), evidence, "x")
    assert picture is not None
    assert "&lt; 0.5" in picture.svg
    assert "since 1" in picture.svg
    assert "below the dashed line" in picture.caption


def test_derived_number_gets_no_line() -> None:
    """A threshold of another scale than the signal is not drawn, and the caption says so."""
    record = record_of([5.0, 6.0, 7.0])
    evidence = Evidence(NAME, 0.1, ">", 0.5, False, "rise over the best")
    diagnosis = diagnose_with(record, evidence)
    assert not is_on_signal_scale(record, diagnosis, evidence)
    picture = figures.draw_evidence(record, diagnosis, evidence, "x")
    assert picture is not None
    assert "&gt; 0.5" not in picture.svg
    assert "is not drawn" in picture.caption


def test_median_at_other_steps_has_the_signals_scale() -> None:
    """A median at the steps of other evidence has the scale of its own signal."""
    rows = [Row(i, {NAME: float(i % 7), **({"c/d": 1.0} if i % 5 == 0 else {})}) for i in range(60)]
    record = Record.from_rows(rows)
    slow = record["c/d"].steps
    fast = compare_median(NAME, record.at(NAME, slow), "<", 2.2, "fast", 4)
    other = compare_median("c/d", record["c/d"].values, "<", 2.0, "slow")
    both = Diagnosis("some_thing", "absent", "", evidence=(fast, other))
    assert is_on_signal_scale(record, both, fast)


def test_missing_signals_have_no_figure() -> None:
    """A signal that was not recorded has no figure."""
    record = record_of([1.0])
    evidence = Evidence("not/there", math.nan, ">", 0.5, False, "nothing")
    assert figures.draw_evidence(record, diagnose_with(record, evidence), evidence, "x") is None
    assert figures.draw_losses(record, "l") is None
    assert figures.draw_confidence(record, "c") is None


def test_drawing_has_no_side_effects() -> None:
    """Drawing changes no setting of matplotlib, and opens no figure in pyplot."""
    import matplotlib
    from matplotlib import pyplot

    before = dict(matplotlib.rcParams)
    signal = Signal(np.arange(5), np.random.default_rng(0).uniform(size=(5, 3)))
    first = figures.draw_heatmap(signal, "a", "title", [0.3, 0.3, 0.4], 2)
    assert figures.draw_heatmap(signal, "a", "title", [0.3, 0.3, 0.4], 2) == first
    assert dict(matplotlib.rcParams) == before
    assert pyplot.get_fignums() == []


@pytest.mark.parametrize("shape", [(0, 2), (5, 2), (5, 1), (5, 3)])
def test_points_of_any_dimension(shape: tuple[int, int]) -> None:
    """Points of one, two or three dimensions are drawn, and also an empty array."""
    points = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    assert "<svg" in figures.draw_scatter(points, points, "p", "").svg
    assert figures.draw_scatter_png(points, points, "p").startswith(b"\x89PNG")


def test_outliers_are_drawn_at_the_edge() -> None:
    """A sample far from the real data is drawn at the edge and counted in the caption."""
    real = np.random.default_rng(0).normal(size=(50, 2)).astype(np.float32)
    points = real.copy()
    points[:3] = 1e6
    picture = figures.draw_scatter(points, real, "p", "")
    assert "at its edge: 3." in picture.caption
    assert RED in picture.svg
    assert RED not in figures.draw_scatter(real, real, "p", "").svg


def test_timeline_begins_with_the_earliest() -> None:
    """Lanes are in the order of their onsets, also in the description."""
    found = [
        Diagnosis("late_thing", "present", "", "kind", 80),
        Diagnosis("no_thing", "absent", ""),
        Diagnosis("early_thing", "present", "", "kind", 20),
    ]
    history = [
        Evaluation(50, {"early_thing": "present"}),
        Evaluation(100, {"late_thing": "present"}),
    ]
    picture = figures.draw_timeline(found, history, 100, "t")
    assert picture is not None
    label = picture.svg.split('aria-label="')[1]
    places = [label.index(name) for name in ("early thing", "late thing", "no thing")]
    assert places == sorted(places)
    assert "since 20" in picture.svg
    assert figures.draw_timeline([], [], 100, "t") is None


def test_missing_classes_are_named() -> None:
    """A class below the limit is marked in the figure and named in the caption."""
    shares = [0.25, 0.25, 0.25, 0.25]
    made = np.tile([0.5, 0.45, 0.04, 0.01], (7, 1))
    signal = Signal(np.arange(7), made)
    picture = figures.draw_class_shares(signal, shares, "b", missing_below=0.2)
    assert picture is not None
    assert picture.svg.count("missing") == 2 + picture.svg.split('aria-label="')[1].split('"')[
        0
    ].count("missing")
    assert picture.caption.endswith("2, 3.")
    assert figures.draw_class_shares(signal, shares[:3], "b") is None


def test_baseline_is_drawn() -> None:
    """A signal with a real-vs-real baseline has a line for it, named in the caption."""
    name = "diversity/effective_modes/generator"
    record = Record.from_rows(Row(step, {name: 0.1}) for step in range(5))
    evidence = compare_median(name, record[name].values, "<", 0.7, "modes")
    picture = figures.draw_evidence(record, diagnose_with(record, evidence), evidence, "x")
    assert picture is not None
    assert ">real<" in picture.svg
    assert "thin green line" in picture.caption


def test_two_runs_share_a_figure() -> None:
    """A figure of two runs names both; a signal that neither run recorded has no figure."""
    records = record_of([1.0, 2.0]), record_of([3.0])
    evidence = compare_median(NAME, records[0][NAME].values, "<", 0.5, "what it is")
    compared = PairedEvidence(evidence, "mode_collapse", is_on_signal_scale=True)
    picture = figures.draw_pair(records, ("baseline", "fixed"), compared, "x")
    assert picture is not None
    assert "below the dashed line are a sign of mode collapse" in picture.caption
    assert all(f">{name}<" in picture.svg for name in ("baseline", "fixed"))
    nowhere = Evidence("not/there", math.nan, ">", 0.5, False, "nothing")
    lost = PairedEvidence(nowhere, "mode_collapse", is_on_signal_scale=False)
    assert figures.draw_pair(records, ("a", "b"), lost, "x") is None


def plane_rows(gradients: list[float]) -> list[Row]:
    """Rows of the probe plane: two samples with gradients to the right, a grid of 3 x 3, a path."""
    return [
        Row(
            100 * index,
            {
                "plane/view/generator": [-2.0, 2.0, 4.0],
                "plane/fake/generator": [0.0, 0.0, 1.0, 1.0],
                "plane/gradient/generator": [gradient, 0.0, gradient, 0.0],
                "plane/latent_path/generator": [0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 1.0],
                "plane/probability/discriminator": [i / 8 for i in range(9)],
            },
        )
        for index, gradient in enumerate(gradients)
    ]


def test_arrows_have_one_scale() -> None:
    """Half the gradient is half the arrow, a zero gradient is none; the length is limited."""
    frames = read_plane_frames(Record.from_rows(plane_rows([8.0, 4.0, 0.0])))
    strong, weak, none = (float(np.abs(drawn).max()) for drawn in scale_arrows(frames))
    assert strong == pytest.approx(2 * weak)
    assert none == 0
    blown = frames[0]._replace(descent=np.array([[1e30, 0.0], [math.nan, 0.0]]))
    assert float(np.abs(scale_arrows([*frames, blown])[-1]).max()) <= MAX_ARROW_LENGTH * 4 * (
        1 + 1e-9
    )


def test_plane_is_drawn_as_recorded() -> None:
    """A frame has the recorded values of its step, and its SVG is well-formed."""
    (frame,) = read_plane_frames(Record.from_rows(plane_rows([1.0])))
    assert frame.field[2, 0] == 0.75
    assert frame.paths.shape == (1, 4, 2)
    assert frame.fakes.tolist() == [[0, 0], [1, 1]]
    picture = draw_plane(frame, scale_arrows([frame])[0], np.zeros((3, 2)), "p")
    ET.fromstring(picture.svg.replace("xlink:href", "href"))
    assert read_plane_frames(record_of([1.0])) == []


@pytest.mark.parametrize("step", [None, 0, 730, 9999])
def test_frames_are_spread_evenly(step: int | None) -> None:
    """The first frame, the last, and the first one from a step on are chosen."""
    empty = np.empty((0, 2))
    frames = [PlaneFrame(s, (0, 1), empty, empty, empty, empty) for s in range(0, 2000, 100)]
    steps = [frame.step for frame in choose_frames(frames, 6, step)]
    assert len(steps) == 6
    assert (steps[0], steps[-1]) == (0, 1900)
    assert steps == sorted(set(steps))
    if step == 730:
        assert 800 in steps


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(width=32), max_size=200))
def test_packing_keeps_values(values: list[float]) -> None:
    """Unpacked values are equal to the recorded ones, also NaN and infinity."""
    packed = np.frombuffer(base64.b64decode(pack_numbers(np.array(values), "<f4")), "<f4")
    assert np.array_equal(packed, np.array(values, np.float32), equal_nan=True)


def test_equal_reports_have_equal_charts() -> None:
    """Bokeh numbers the models of a process, but a page does not depend on these numbers."""
    record = Record.from_rows(plane_rows([1.0, 2.0]))
    chart = Chart("title", (NAME,), 0.5)
    first = json.dumps(build_bokeh_document(record, [chart], 1))
    assert json.dumps(build_bokeh_document(record, [chart], 1)) == first
    frames, real = read_plane_frames(record), np.zeros((3, 2))
    assert json.dumps(build_plane_document(frames, real)) == json.dumps(
        build_plane_document(frames, real)
    )
    assert pack_signals(record) == {}  # vectors are not packed
