"""The samples that a comparison's page shows beside each other."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from gandiag.comparison.results import Comparison, ScenarioResult
from gandiag.records.record import Record
from gandiag.reports.figures.style import as_png, new_figure
from gandiag.reports.page.gallery import GridImage, build_grid_images, explain_grids, find_real_grid

COLUMNS = 4  # of the picture
SHADES = 16  # of the picture: a third of the bytes; sheets of noise do not shrink otherwise


class FinalGrids(NamedTuple):
    """The last samples of an arm's first run; the untreated one's has the real data before them."""

    scenario_name: str
    seed: int
    grids: Sequence[GridImage]


def choose_final_grids(comparison: Comparison, folder: Path) -> list[FinalGrids]:
    """The last sheet of each arm for its first seed; before them, that of the real data."""
    found: list[FinalGrids] = []
    for result in _with_runs(comparison):
        plates = build_grid_images(
            _load_first_record(result, folder), None, f"sheet-{result.compared.name}"
        )
        real = [plate for plate in plates if plate.step is None and not found]
        last = [plate for plate in plates if plate.step][-1:]
        if real or last:
            found.append(FinalGrids(result.compared.name, min(result.outcomes), [*real, *last]))
    return found


def explain_final_grids(comparison: Comparison, folder: Path) -> str:
    """How to read them; empty where nothing was played."""
    return next(
        (explain_grids(_load_first_record(one, folder)) for one in _with_runs(comparison)), ""
    )


def draw_final_grids(comparison: Comparison, folder: Path) -> bytes:
    """PNG of what `choose_final_grids` gives, for data that are images."""
    shown: list[tuple[str, Path]] = []
    for result in _with_runs(comparison):
        record = _load_first_record(result, folder)
        real = None if shown else find_real_grid(record)
        if real is not None:
            shown.append(("real data", real))
        shown += [
            (result.compared.name.replace("+", "\n+ "), path)
            for _, path in record.sample_grids()[-1:]
        ]
    rows = -(-len(shown) // COLUMNS)
    with new_figure(9.4, 2.55 * rows) as figure:
        panels = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
        for axes in panels:
            axes.axis("off")
        for axes, (title, path) in zip(panels, shown, strict=False):
            axes.imshow(np.asarray(Image.open(path).convert("RGB")))
            axes.set_title(title, fontsize=8)
        drawn = Image.open(io.BytesIO(as_png(figure))).convert("RGB").quantize(SHADES)
    small = io.BytesIO()
    drawn.save(small, "PNG", optimize=True)
    return small.getvalue()


def _with_runs(comparison: Comparison) -> list[ScenarioResult]:
    return [result for result in comparison.results if result.outcomes]


def _load_first_record(result: ScenarioResult, folder: Path) -> Record:
    """The record of an arm's run with the first seed."""
    return Record.load(folder / result.compared.name / str(min(result.outcomes)))
