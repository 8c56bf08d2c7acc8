"""Sample sheets for a page: few, well spread, small enough to travel inside it."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gandiag.figures import scatter_figure
from gandiag.figures.points import READING
from gandiag.record import Record

__all__ = ["Plate", "choose", "hang", "real_sheet"]

PLATES = 6  # sheets of the generator on a page
BYTES = 150_000  # of one picture: seven of them stay below 1.5 MB in base64


class Plate(NamedTuple):
    """A sheet of samples on the page: a picture as data URL or a figure as SVG.

    Attributes:
        title: whose samples, and when.
        alt: the same for those who cannot see it.
        url: ``data:image/...``; empty for points.
        svg: a scatter plot; empty for images.
        note: what the picture cannot show.
    """

    title: str
    alt: str
    url: str
    svg: str
    note: str = ""


def hang(record: Record, onset: int | None) -> list[Plate]:
    """The real sheet first, then the chosen ones of the generator; unreadable ones left out."""
    real = real_sheet(record)
    wanted = [("real data", real)] if real else []
    for step, path in choose(record.sheets(), onset):
        wanted.append((f"step {step}", path))
    plates = (_plate(title, path, real) for title, path in wanted)
    return [plate for plate in plates if plate is not None]


def real_sheet(record: Record) -> Path | None:
    """The sheet of real samples; None where there is none."""
    if record.folder is None:
        return None
    return next(iter(sorted((record.folder / "samples").glob("real.*"))), None)


def choose(
    sheets: Sequence[tuple[int, Path]], onset: int | None, count: int = PLATES
) -> list[tuple[int, Path]]:
    """Pick the first, the last, the first one since the onset, and others well spread.

    >>> [step for step, _ in choose([(s, Path()) for s in range(0, 1100, 100)], 350, 4)]
    [0, 300, 400, 1000]
    """
    if len(sheets) <= count:
        return list(sheets)
    steps = np.array([step for step, _ in sheets])
    picked = {0, len(sheets) - 1}
    if onset is not None and onset <= steps[-1]:
        picked.add(int(np.searchsorted(steps, onset)))
    for index in np.linspace(0, len(sheets) - 1, count).round().astype(int):
        if len(picked) < count:
            picked.add(int(index))
    return [sheets[index] for index in sorted(picked)]


def _plate(title: str, path: Path, real: Path | None) -> Plate | None:
    whose = "Real samples" if path == real else f"The generator's samples at {title}"
    try:
        if path.suffix == ".npy":
            points = np.load(path, allow_pickle=False)
            behind = np.load(real, allow_pickle=False) if real else points[:0]
            return _plot(title, whose, points, behind, path == real)
        return Plate(title, whose, _data_url(path), "")
    except (OSError, ValueError):  # an interrupted or foreign file
        return None


def _plot(
    title: str, whose: str, points: NDArray[np.float32], real: NDArray[np.float32], only_real: bool
) -> Plate:
    name = f"sheet-{title.replace(' ', '-')}"
    picture = scatter_figure(points[:0] if only_real else points, real, name, "")
    note = picture.caption.removeprefix(READING).strip()
    return Plate(title, f"{whose}. {picture.caption}", "", picture.svg, note)


def _data_url(path: Path) -> str:
    data = path.read_bytes()
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        kind = (image.format or "png").lower()
        if len(data) > BYTES:
            kind, data = "jpeg", _smaller(image)
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def _smaller(image: Image.Image) -> bytes:
    """The image as JPEG, shrunk until it fits."""
    picture = image.convert("RGB")
    while True:
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=85)
        if buffer.tell() <= BYTES:
            return buffer.getvalue()
        size = (max(1, picture.width * 3 // 4), max(1, picture.height * 3 // 4))
        picture = picture.resize(size, Image.Resampling.LANCZOS)
