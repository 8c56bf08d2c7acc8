from __future__ import annotations

import base64
from pathlib import Path

import numpy as np
import pytest

from gandiag.records.record import Record
from gandiag.records.sample_grids import write_sample_grid
from gandiag.reports.page.gallery import (
    MAX_FRAMES_LENGTH,
    MAX_IMAGE_BYTES,
    build_frames,
    build_grid_images,
    choose_grids,
    list_grid_steps,
)
from gandiag.reports.report import Report


@pytest.mark.parametrize("onset", [None, 0, 340, 5000])
def test_choice_is_spread(onset: int | None) -> None:
    """First, last and the first since the onset are shown, and no more than asked for."""
    steps = [step for step, _ in choose_grids([(s, Path()) for s in range(0, 3000, 50)], onset)]
    assert len(steps) == 6
    assert (steps[0], steps[-1]) == (0, 2950)
    assert steps == sorted(set(steps))
    if onset == 340:
        assert 350 in steps


def test_real_data_hang_first(sick: Report) -> None:
    """One compares with the real data, so they come first."""
    plates = build_grid_images(sick.record, 350)
    assert plates[0].title == "real data"
    assert plates[1].title == "step 100"
    assert "step 400" in [plate.title for plate in plates]
    assert all(plate.alt for plate in plates)


def test_large_sheets_shrink(tmp_path: Path) -> None:
    """Noise in colour, the worst for a PNG, still travels in the page."""
    (tmp_path / "samples").mkdir()
    noise = np.random.default_rng(0).uniform(-1, 1, (64, 3, 64, 64)).astype(np.float32)
    path = write_sample_grid(tmp_path / "samples" / "step-00000001", noise)
    assert path.stat().st_size > MAX_IMAGE_BYTES
    (plate,) = build_grid_images(Record({}, folder=tmp_path), None)
    head, data = plate.url.split(",")
    assert head == "data:image/webp;base64"
    assert len(base64.b64decode(data)) <= MAX_IMAGE_BYTES


def test_film_takes_what_hangs(sick: Report) -> None:
    """The cursor finds every sheet: one that hangs is not stored again, others are."""
    plates = build_grid_images(sick.record, 350)
    frames = build_frames(sick.record, plates)
    assert [frame.step for frame in frames] == list(range(100, 1001, 100))
    hung = {plate.step for plate in plates}
    assert all((frame.url == "") == (frame.step in hung) for frame in frames)


def test_film_fits(tmp_path: Path) -> None:
    """Many large sheets are thinned until they fit, the ones that hang among them."""
    (tmp_path / "samples").mkdir()
    noise = np.random.default_rng(0).uniform(-1, 1, (64, 1, 28, 28)).astype(np.float32)
    for step in range(50):
        write_sample_grid(tmp_path / "samples" / f"step-{step:08d}", noise)
    record = Record({}, folder=tmp_path)
    plates = build_grid_images(record, None)
    frames = build_frames(record, plates)
    assert sum(len(frame.url) for frame in frames) <= MAX_FRAMES_LENGTH
    assert {plate.step for plate in plates} <= {frame.step for frame in frames}
    assert len(frames) > len(plates)


def test_shared_steps_can_be_asked_for(sick: Report, plane: Report) -> None:
    """Two runs hang at the same steps where they are set side by side."""
    among = frozenset({200, 700})
    assert [plate.step for plate in build_grid_images(sick.record, None, "a", among)] == [
        None,
        200,
        700,
    ]
    assert [plate.step for plate in build_grid_images(plane.record, None, "b", among)] == [200, 700]
    assert list_grid_steps(plane.record) == frozenset(range(0, 1001, 100))
