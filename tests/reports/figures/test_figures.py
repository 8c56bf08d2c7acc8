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
    """There is no signal without a figure, and each is well-formed."""
    record = record_of(values)
    evidence = compare_median(NAME, record[NAME].values, "<", 0.5, "what it is")
    picture = figures.draw_evidence(record, asked(record, evidence), evidence, "x")
    assert picture is not None
    ET.fromstring(picture.svg.replace("xlink:href", "href"))
    strange = len(values) - int(np.isfinite(values).sum())
    assert (f"{strange} values that are not finite" in picture.caption) == bool(strange)


def test_threshold_line_is_drawn() -> None:
    """The gate, the side that speaks for the condition and the onset are in the figure."""
    record = record_of([0.9, 0.8, 0.3, 0.2, 0.1])
    evidence = compare_median(NAME, record[NAME].values, "<", 0.5, "what it is")
    picture = figures.draw_evidence(record, asked(record, evidence), evidence, "x")
    assert picture is not None
    assert "&lt; 0.5" in picture.svg
    assert "since 1" in picture.svg
    assert "below the dashed line" in picture.caption


def test_derived_number_gets_no_line() -> None:
    """A threshold of another scale is not drawn over a signal; the caption says so."""
    record = record_of([5.0, 6.0, 7.0])
    evidence = Evidence(NAME, 0.1, ">", 0.5, False, "rise over the best")
    diagnosis = asked(record, evidence)
    assert not is_on_signal_scale(record, diagnosis, evidence)
    picture = figures.draw_evidence(record, diagnosis, evidence, "x")
    assert picture is not None
    assert "&gt; 0.5" not in picture.svg
    assert "is not drawn" in picture.caption


def test_median_at_anothers_steps_counts() -> None:
    """A number read at the steps of slower evidence still belongs to its own signal."""
    rows = [Row(i, {NAME: float(i % 7), **({"c/d": 1.0} if i % 5 == 0 else {})}) for i in range(60)]
    record = Record.from_rows(rows)
    slow = record["c/d"].steps
    fast = compare_median(NAME, record.at(NAME, slow), "<", 2.2, "fast", 4)
    other = compare_median("c/d", record["c/d"].values, "<", 2.0, "slow")
    both = Diagnosis("some_thing", "absent", "", evidence=(fast, other))
    assert is_on_signal_scale(record, both, fast)


def test_missing_signals_have_no_figure() -> None:
    """What was not recorded is left out."""
    record = record_of([1.0])
    evidence = Evidence("not/there", math.nan, ">", 0.5, False, "nothing")
    assert figures.draw_evidence(record, asked(record, evidence), evidence, "x") is None
    assert figures.draw_losses(record, "l") is None
    assert figures.draw_confidence(record, "c") is None


def test_figures_leave_no_trace() -> None:
    """Drawing changes no setting of matplotlib and opens no figure in pyplot."""
    import matplotlib
    from matplotlib import pyplot

    before = dict(matplotlib.rcParams)
    signal = Signal(np.arange(5), np.random.default_rng(0).uniform(size=(5, 3)))
    first = figures.draw_heatmap(signal, "a", "title", [0.3, 0.3, 0.4], 2)
    assert figures.draw_heatmap(signal, "a", "title", [0.3, 0.3, 0.4], 2) == first
    assert dict(matplotlib.rcParams) == before
    assert pyplot.get_fignums() == []


@pytest.mark.parametrize("shape", [(0, 2), (5, 2), (5, 1), (5, 3)])
def test_points_of_any_width(shape: tuple[int, int]) -> None:
    """Points on a line, in the plane or in space are drawn, and none at all too."""
    points = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    assert "<svg" in figures.draw_scatter(points, points, "p", "").svg
    assert figures.draw_scatter_png(points, points, "p").startswith(b"\x89PNG")


def test_outliers_stay_in_sight() -> None:
    """A sample far from the real data is marked at the edge and counted, not cut off."""
    real = np.random.default_rng(0).normal(size=(50, 2)).astype(np.float32)
    points = real.copy()
    points[:3] = 1e6
    picture = figures.draw_scatter(points, real, "p", "")
    assert "at the edge: 3." in picture.caption
    assert RED in picture.svg
    assert RED not in figures.draw_scatter(real, real, "p", "").svg


def test_timeline_begins_with_the_earliest() -> None:
    """Lanes are in the order of their onsets, in the picture as in its words."""
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
    """A class below its limit is marked in the picture and named below it, others are not."""
    shares = [0.25, 0.25, 0.25, 0.25]
    made = np.tile([0.5, 0.45, 0.04, 0.01], (7, 1))
    signal = Signal(np.arange(7), made)
    picture = figures.draw_class_shares(signal, shares, "b", hardly=0.2)
    assert picture is not None
    assert picture.svg.count("missing") == 2 + picture.svg.split('aria-label="')[1].split('"')[
        0
    ].count("missing")
    assert picture.caption.endswith("2, 3.")
    assert figures.draw_class_shares(signal, shares[:3], "b") is None


def test_null_is_drawn() -> None:
    """A signal that is measured against real data has their line in sight, and the words for it."""
    name = "diversity/effective_modes/generator"
    record = Record.from_rows(Row(step, {name: 0.1}) for step in range(5))
    evidence = compare_median(name, record[name].values, "<", 0.7, "modes")
    picture = figures.draw_evidence(record, asked(record, evidence), evidence, "x")
    assert picture is not None
    assert ">real<" in picture.svg
    assert "thin_curve green line" in picture.caption


def test_twins_share_a_figure() -> None:
    """Both runs are in it under their names; a signal that neither has gives none."""
    records = record_of([1.0, 2.0]), record_of([3.0])
    evidence = compare_median(NAME, records[0][NAME].values, "<", 0.5, "what it is")
    compared = PairedEvidence(evidence, "mode_collapse", is_on_signal_scale=True)
    picture = figures.draw_pair(records, ("ill", "cured"), compared, "x")
    assert picture is not None
    assert "below the dashed line speak for mode collapse" in picture.caption
    assert all(f">{name}<" in picture.svg for name in ("ill", "cured"))
    nowhere = Evidence("not/there", math.nan, ">", 0.5, False, "nothing")
    lost = PairedEvidence(nowhere, "mode_collapse", is_on_signal_scale=False)
    assert figures.draw_pair(records, ("a", "b"), lost, "x") is None


def plane_rows(pulls: list[float]) -> list[Row]:
    """A game in a plane: two fakes that are pulled to the right, a grid of 3 x 3, one path."""
    return [
        Row(
            100 * index,
            {
                "plane/view/generator": [-2.0, 2.0, 4.0],
                "plane/fake/generator": [0.0, 0.0, 1.0, 1.0],
                "plane/gradient/generator": [pull, 0.0, pull, 0.0],
                "plane/latent_path/generator": [0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 1.0],
                "plane/probability/discriminator": [i / 8 for i in range(9)],
            },
        )
        for index, pull in enumerate(pulls)
    ]


def test_arrows_have_one_scale() -> None:
    """Half the pull is half the arrow, none is none; and no arrow leaves the plane."""
    looks = read_plane_frames(Record.from_rows(plane_rows([8.0, 4.0, 0.0])))
    strong, weak, none = (float(np.abs(drawn).max()) for drawn in scale_arrows(looks))
    assert strong == pytest.approx(2 * weak)
    assert none == 0
    blown = looks[0]._replace(descent=np.array([[1e30, 0.0], [math.nan, 0.0]]))
    assert float(np.abs(scale_arrows([*looks, blown])[-1]).max()) <= MAX_ARROW_LENGTH * 4 * (
        1 + 1e-9
    )


def test_plane_is_drawn_as_recorded() -> None:
    """A look has what the probe saw at that very step, and its picture is well-formed."""
    (look,) = read_plane_frames(Record.from_rows(plane_rows([1.0])))
    assert look.field[2, 0] == 0.75
    assert look.paths.shape == (1, 4, 2)
    assert look.fakes.tolist() == [[0, 0], [1, 1]]
    picture = draw_plane(look, scale_arrows([look])[0], np.zeros((3, 2)), "p")
    ET.fromstring(picture.svg.replace("xlink:href", "href"))
    assert read_plane_frames(record_of([1.0])) == []


@pytest.mark.parametrize("step", [None, 0, 730, 9999])
def test_looks_are_spread(step: int | None) -> None:
    """The first, the last and the first since a step are among those that are shown."""
    empty = np.empty((0, 2))
    looks = [PlaneFrame(s, (0, 1), empty, empty, empty, empty) for s in range(0, 2000, 100)]
    steps = [look.step for look in choose_frames(looks, 6, step)]
    assert len(steps) == 6
    assert (steps[0], steps[-1]) == (0, 1900)
    assert steps == sorted(set(steps))
    if step == 730:
        assert 800 in steps


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(width=32), max_size=200))
def test_packing_keeps_numbers(values: list[float]) -> None:
    """What a page unpacks is what was recorded, NaN and infinity too."""
    packed = np.frombuffer(base64.b64decode(pack_numbers(np.array(values), "<f4")), "<f4")
    assert np.array_equal(packed, np.array(values, np.float32), equal_nan=True)


def test_charts_are_the_same_again() -> None:
    """Bokeh counts its models from call to call; a page must not show that."""
    record = Record.from_rows(plane_rows([1.0, 2.0]))
    chart = Chart("title", (NAME,), 0.5)
    first = json.dumps(build_bokeh_document(record, [chart], 1))
    assert json.dumps(build_bokeh_document(record, [chart], 1)) == first
    looks, real = read_plane_frames(record), np.zeros((3, 2))
    assert json.dumps(build_plane_document(looks, real)) == json.dumps(
        build_plane_document(looks, real)
    )
    assert pack_signals(record) == {}  # vectors have charts of their own
