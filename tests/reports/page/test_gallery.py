"""Sample grids on a page: which are chosen, and that they stay small."""

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
def test_chosen_grids_are_spread_evenly(onset: int | None) -> None:
    """The first grid, the last, and the first after the onset are chosen, six in total."""
    steps = [step for step, _ in choose_grids([(s, Path()) for s in range(0, 3000, 50)], onset)]
    assert len(steps) == 6
    assert (steps[0], steps[-1]) == (0, 2950)
    assert steps == sorted(set(steps))
    if onset == 340:
        assert 350 in steps


def test_real_grid_comes_first(failing: Report) -> None:
    """The grid of real data is first, as readers compare the others with it."""
    grids = build_grid_images(failing.record, 350)
    assert grids[0].title == "real data"
    assert grids[1].title == "step 100"
    assert "step 400" in [grid.title for grid in grids]
    assert all(grid.alt for grid in grids)


def test_large_grids_are_shrunk(tmp_path: Path) -> None:
    """Noise in colour, the largest case for a PNG, becomes an image of limited size."""
    (tmp_path / "samples").mkdir()
    noise = np.random.default_rng(0).uniform(-1, 1, (64, 3, 64, 64)).astype(np.float32)
    path = write_sample_grid(tmp_path / "samples" / "step-00000001", noise)
    assert path.stat().st_size > MAX_IMAGE_BYTES
    (grid,) = build_grid_images(Record({}, folder=tmp_path), None)
    head, data = grid.url.split(",")
    assert head == "data:image/webp;base64"
    assert len(base64.b64decode(data)) <= MAX_IMAGE_BYTES


def test_frames_do_not_repeat_shown_grids(failing: Report) -> None:
    """Every grid is a frame; only grids that the page does not show have their own image."""
    grids = build_grid_images(failing.record, 350)
    frames = build_frames(failing.record, grids)
    assert [frame.step for frame in frames] == list(range(100, 1001, 100))
    shown = {grid.step for grid in grids}
    assert all((frame.url == "") == (frame.step in shown) for frame in frames)


def test_frames_fit_into_the_page(tmp_path: Path) -> None:
    """Of many large grids as many are kept as fit, with all grids that the page shows."""
    (tmp_path / "samples").mkdir()
    noise = np.random.default_rng(0).uniform(-1, 1, (64, 1, 28, 28)).astype(np.float32)
    for step in range(50):
        write_sample_grid(tmp_path / "samples" / f"step-{step:08d}", noise)
    record = Record({}, folder=tmp_path)
    grids = build_grid_images(record, None)
    frames = build_frames(record, grids)
    assert sum(len(frame.url) for frame in frames) <= MAX_FRAMES_LENGTH
    assert {grid.step for grid in grids} <= {frame.step for frame in frames}
    assert len(frames) > len(grids)


def test_grids_can_be_limited_to_given_steps(failing: Report, plane: Report) -> None:
    """A page of two runs shows both at the same steps."""
    among = frozenset({200, 700})
    assert [grid.step for grid in build_grid_images(failing.record, None, "a", among)] == [
        None,
        200,
        700,
    ]
    assert [grid.step for grid in build_grid_images(plane.record, None, "b", among)] == [200, 700]
    assert list_grid_steps(plane.record) == frozenset(range(0, 1001, 100))
