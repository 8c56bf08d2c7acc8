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
from gandiag.reports.figures.style import as_png, drawing
from gandiag.reports.page.gallery import GridImage, choose_grids, reading_of, real_sheet

COLUMNS = 4  # of the picture
SHADES = 16  # of the picture: a third of the bytes; sheets of noise do not shrink otherwise


class Sheet(NamedTuple):
    """The last samples of an arm's first run; the untreated one's has the real data before them."""

    arm: str
    seed: int
    plates: Sequence[GridImage]


def last_sheets(comparison: Comparison, folder: Path) -> list[Sheet]:
    """The last sheet of each arm for its first seed; before them, that of the real data."""
    found: list[Sheet] = []
    for result in _played(comparison):
        plates = choose_grids(_first(result, folder), None, f"sheet-{result.arm.name}")
        real = [plate for plate in plates if plate.step is None and not found]
        last = [plate for plate in plates if plate.step][-1:]
        if real or last:
            found.append(Sheet(result.arm.name, min(result.outcomes), [*real, *last]))
    return found


def reading(comparison: Comparison, folder: Path) -> str:
    """How to read them; empty where nothing was played."""
    return next((reading_of(_first(one, folder)) for one in _played(comparison)), "")


def picture(comparison: Comparison, folder: Path) -> bytes:
    """PNG of what `last_sheets` gives, for data that are images."""
    shown: list[tuple[str, Path]] = []
    for result in _played(comparison):
        record = _first(result, folder)
        real = None if shown else real_sheet(record)
        if real is not None:
            shown.append(("real data", real))
        shown += [
            (result.arm.name.replace("+", "\n+ "), path) for _, path in record.sample_grids()[-1:]
        ]
    rows = -(-len(shown) // COLUMNS)
    with drawing(9.4, 2.55 * rows) as figure:
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


def _played(comparison: Comparison) -> list[ScenarioResult]:
    return [result for result in comparison.results if result.outcomes]


def _first(result: ScenarioResult, folder: Path) -> Record:
    """The record of an arm's run with the first seed."""
    return Record.load(folder / result.arm.name / str(min(result.outcomes)))
