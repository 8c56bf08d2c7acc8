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

from gandiag.records.record import Record
from gandiag.reports.figures import scatter_figure
from gandiag.reports.figures.plane import READING as PLANE
from gandiag.reports.figures.plane import Look, arrows, looks_of, plane_figure, spaced
from gandiag.reports.figures.scatter import READING

PLATES = 6  # sheets of the generator that hang on a page
FRAMES = 40  # sheets that a cursor can be moved over
BYTES = 80_000  # of one picture: seven of them stay below 0.8 MB in base64
FILM = 500_000  # characters of the frames that do not hang on the page anyway
QUALITY = 75  # of WebP, at which the noise of early sheets takes half a PNG's bytes


class GridImage(NamedTuple):
    """A sheet of samples on the page: a picture as data URL or a figure as SVG.

    Attributes:
        title: whose samples, and when.
        alt: the same for those who cannot see it.
        url: ``data:image/...``; empty for points.
        svg: a scatter plot; empty for images.
        step: of the generator; None for the real data.
        note: what the picture cannot show.
    """

    title: str
    alt: str
    url: str
    svg: str
    step: int | None = None
    note: str = ""


class Frame(NamedTuple):
    """A sheet at a step; its `url` is empty where a plate of that step holds the picture."""

    step: int
    url: str


def grid_steps(record: Record) -> frozenset[int]:
    """Steps at which there is something to hang."""
    looks = looks_of(record)
    steps = [look.step for look in looks] if looks else [step for step, _ in record.sample_grids()]
    return frozenset(steps)


def reading_of(record: Record) -> str:
    """How to read the sheets."""
    if looks_of(record):
        return PLANE
    points = any(path.suffix == ".npy" for _, path in record.sample_grids())
    latents = "The same latents on every sheet, so each place shows how one sample changed."
    return READING if points else latents


def choose_grids(
    record: Record,
    onset: int | None,
    name: str = "sheet",
    among: frozenset[int] = frozenset(),
) -> list[GridImage]:
    """The real sheet first, then the chosen ones of the generator; unreadable ones left out.

    Args:
        record: whose sheets.
        onset: step whose next sheet is shown for sure.
        name: what the ids of figures begin with, unique in the page.
        among: steps to choose from; all of them if empty.
    """
    real, looks = real_sheet(record), looks_of(record)
    if looks:
        kept = [look for look in looks if not among or look.step in among]
        return _planes(kept, real_points(real), onset, name)
    wanted: list[tuple[int | None, Path]] = [(None, real)] if real else []
    wanted += choose([s for s in record.sample_grids() if not among or s[0] in among], onset)
    plates = (_plate(step, path, real, name) for step, path in wanted)
    return [plate for plate in plates if plate is not None]


def film(record: Record, plates: Sequence[GridImage]) -> list[Frame]:
    """Sheets of images for a cursor to move over: as many as fit, well spread, the plates' too."""
    hung = {plate.step for plate in plates if plate.url and plate.step is not None}
    sheets = [(step, path) for step, path in record.sample_grids() if path.suffix == ".png"]
    packed: dict[Path, str] = {}  # each only once: it takes 10 milliseconds
    urls: dict[int, str] = {}
    for count in (FRAMES // 4, FRAMES // 2, FRAMES):
        chosen = [item for item in choose(sheets, None, count) if item[0] not in hung]
        if urls and len(chosen) * sum(map(len, urls.values())) > FILM * len(urls):
            break  # at the size of those so far, these will not fit
        packed |= {path: _url(path) for _, path in chosen if path not in packed}
        if sum(len(packed[path]) for _, path in chosen) > FILM:
            break
        urls = {step: packed[path] for step, path in chosen if packed[path]}
    frames = [Frame(step, url) for step, url in urls.items()]
    return sorted([*frames, *(Frame(step, "") for step in hung)])


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
    if count < 2:
        return []
    steps = np.array([step for step, _ in sheets])
    picked = {0, len(sheets) - 1}
    if onset is not None and onset <= steps[-1]:
        picked.add(int(np.searchsorted(steps, onset)))
    for index in np.linspace(0, len(sheets) - 1, count).round().astype(int):
        if len(picked) < count:
            picked.add(int(index))
    return [sheets[index] for index in sorted(picked)]


def _plate(step: int | None, path: Path, real: Path | None, name: str) -> GridImage | None:
    title = "real data" if step is None else f"step {step}"
    whose = "Real samples" if step is None else f"The generator's samples at {title}"
    if path.suffix != ".npy":
        url = _url(path)
        return GridImage(title, whose, url, "", step) if url else None
    try:
        points = np.load(path, allow_pickle=False)
        behind = np.load(real, allow_pickle=False) if real else points[:0]
    except (OSError, ValueError):  # an interrupted or foreign file
        return None
    return _plot(title, whose, points, behind, step, name)


def real_points(path: Path | None) -> NDArray[np.float64]:
    """Real points of a plane, ``(n, 2)``, from their sheet; none where there is no such sheet."""
    try:
        points = np.load(path, allow_pickle=False) if path else np.empty((0, 2))
    except (OSError, ValueError):  # an interrupted or foreign file
        points = np.empty((0, 2))
    return np.asarray(points if points.ndim == 2 else np.empty((0, 2)), float)


def _planes(
    looks: Sequence[Look], real: NDArray[np.float64], onset: int | None, name: str
) -> list[GridImage]:
    """The game in a plane at some steps."""
    pulls = dict(zip((look.step for look in looks), arrows(looks), strict=True))
    plates = []
    for look in spaced(looks, PLATES, onset):
        picture = plane_figure(look, pulls[look.step], real, f"{name}-plane-{look.step}")
        alt = f"The plane at step {look.step}"
        plates.append(
            GridImage(f"step {look.step}", alt, "", picture.svg, look.step, picture.caption)
        )
    return plates


def _plot(
    title: str,
    whose: str,
    points: NDArray[np.float32],
    real: NDArray[np.float32],
    step: int | None,
    name: str,
) -> GridImage:
    unique = f"{name}-{title.replace(' ', '-')}"
    picture = scatter_figure(points[:0] if step is None else points, real, unique, "")
    note = picture.caption.removeprefix(READING).strip()
    return GridImage(title, f"{whose}. {picture.caption}", "", picture.svg, step, note)


def _url(path: Path) -> str:
    """A picture as data URL, the smaller of itself and a WebP; empty where it cannot be read."""
    try:
        data = path.read_bytes()
        with Image.open(io.BytesIO(data)) as image:
            image.load()
            kind, packed = (image.format or "png").lower(), _smaller(image)
    except (OSError, ValueError):  # an interrupted or foreign file
        return ""
    if len(packed) < len(data):
        kind, data = "webp", packed
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def _smaller(image: Image.Image) -> bytes:
    """The image as WebP, shrunk until it fits."""
    picture = image.convert("RGB")
    while True:
        buffer = io.BytesIO()
        picture.save(buffer, "WEBP", quality=QUALITY)
        if buffer.tell() <= BYTES:
            return buffer.getvalue()
        size = (max(1, picture.width * 3 // 4), max(1, picture.height * 3 // 4))
        picture = picture.resize(size, Image.Resampling.LANCZOS)
