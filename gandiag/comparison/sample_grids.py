"""The sample grids of a comparison: real samples, and the last samples of baseline and fixes."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from gandiag.comparison.results import Comparison, ScenarioResult
from gandiag.records.record import Record
from gandiag.records.sample_grids import read_picture
from gandiag.reports.figures.style import as_png, new_figure
from gandiag.reports.page.gallery import GridImage, build_grid_images, explain_grids, find_real_grid

COLUMNS = 4  # Sample grids in a row of the PNG.
# Colours of the PNG. A grid of noise hardly compresses; with so few colours the file has a third
# of the bytes.
COLOURS = 16


class FinalGrids(NamedTuple):
    """The last samples of a compared scenario's run with the first seed.

    Attributes:
        scenario_name: name of the compared scenario.
        seed: the first seed.
        grids: the last grid of generated samples; for the first compared scenario that has grids,
            the grid of real samples comes before it.
    """

    scenario_name: str
    seed: int
    grids: Sequence[GridImage]


def choose_final_grids(comparison: Comparison, folder: Path) -> list[FinalGrids]:
    """Return the grids that the page of a comparison shows side by side."""
    chosen: list[FinalGrids] = []
    for result in _with_runs(comparison):
        name = result.compared.name
        grids = build_grid_images(_load_first_record(result, folder), None, f"grid-{name}")
        real = [grid for grid in grids if grid.step is None and not chosen]
        last = [grid for grid in grids if grid.step][-1:]
        if real or last:
            chosen.append(FinalGrids(name, min(result.outcomes), [*real, *last]))
    return chosen


def explain_final_grids(comparison: Comparison, folder: Path) -> str:
    """Return the text on how to read the grids; empty if there are no runs."""
    records = (_load_first_record(result, folder) for result in _with_runs(comparison))
    return next((explain_grids(record) for record in records), "")


def draw_final_grids(comparison: Comparison, folder: Path) -> bytes:
    """Draw the grids of `choose_final_grids` as one PNG; for data that are images."""
    panels: list[tuple[str, Path]] = []
    for result in _with_runs(comparison):
        record = _load_first_record(result, folder)
        real = None if panels else find_real_grid(record)
        if real is not None:
            panels.append(("real data", real))
        title = result.compared.name.replace("+", "\n+ ")
        panels += [(title, path) for _, path in record.sample_grids()[-1:]]
    # Rounded up, so that the last row may have axes without a panel.
    rows = -(-len(panels) // COLUMNS)
    with new_figure(9.4, 2.55 * rows) as figure:
        all_axes = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
        for axes in all_axes:
            axes.axis("off")
        for axes, (title, path) in zip(all_axes, panels, strict=False):
            axes.imshow(np.asarray(read_picture(path)[1].convert("RGB")))
            axes.set_title(title, fontsize=8)
        drawn = Image.open(io.BytesIO(as_png(figure))).convert("RGB").quantize(COLOURS)
    png = io.BytesIO()
    drawn.save(png, "PNG", optimize=True)
    return png.getvalue()


def _with_runs(comparison: Comparison) -> list[ScenarioResult]:
    return [result for result in comparison.results if result.outcomes]


def _load_first_record(result: ScenarioResult, folder: Path) -> Record:
    # The same seed for baseline and fixes, as runs of one seed are the pairs of the tests.
    return Record.load(folder / result.compared.name / str(min(result.outcomes)))
