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
from gandiag.reports.figures import draw_scatter
from gandiag.reports.figures.plane import PLANE_CAPTION as PLANE
from gandiag.reports.figures.plane import (
    PlaneFrame,
    choose_frames,
    draw_plane,
    read_plane_frames,
    scale_arrows,
)
from gandiag.reports.figures.scatter import SCATTER_CAPTION

MAX_GRIDS = 6  # sheets of the generator that hang on a page
MAX_FRAMES = 40  # sheets that a cursor can be moved over
MAX_IMAGE_BYTES = 80_000  # of one picture: seven of them stay below 0.8 MB in base64
MAX_FRAMES_LENGTH = 500_000  # characters of the frames that do not hang on the page anyway
WEBP_QUALITY = 75  # of WebP, at which the noise of early sheets takes half a PNG's bytes


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


def list_grid_steps(record: Record) -> frozenset[int]:
    """Steps at which there is something to hang."""
    looks = read_plane_frames(record)
    steps = [look.step for look in looks] if looks else [step for step, _ in record.sample_grids()]
    return frozenset(steps)


def explain_grids(record: Record) -> str:
    """How to read the sheets."""
    if read_plane_frames(record):
        return PLANE
    points = any(path.suffix == ".npy" for _, path in record.sample_grids())
    latents = "The same latents on every sheet, so each place shows how one sample changed."
    return SCATTER_CAPTION if points else latents


def build_grid_images(
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
    real, looks = find_real_grid(record), read_plane_frames(record)
    if looks:
        kept = [look for look in looks if not among or look.step in among]
        return _build_plane_images(kept, load_real_points(real), onset, name)
    wanted: list[tuple[int | None, Path]] = [(None, real)] if real else []
    wanted += choose_grids([s for s in record.sample_grids() if not among or s[0] in among], onset)
    plates = (_build_grid_image(step, path, real, name) for step, path in wanted)
    return [plate for plate in plates if plate is not None]


def build_frames(record: Record, plates: Sequence[GridImage]) -> list[Frame]:
    """Sheets of images for a cursor to move over: as many as fit, well spread, the plates' too."""
    hung = {plate.step for plate in plates if plate.url and plate.step is not None}
    sheets = [(step, path) for step, path in record.sample_grids() if path.suffix == ".png"]
    packed: dict[Path, str] = {}  # each only once: it takes 10 milliseconds
    urls: dict[int, str] = {}
    for count in (MAX_FRAMES // 4, MAX_FRAMES // 2, MAX_FRAMES):
        chosen = [item for item in choose_grids(sheets, None, count) if item[0] not in hung]
        if urls and len(chosen) * sum(map(len, urls.values())) > MAX_FRAMES_LENGTH * len(urls):
            break  # at the size of those so far, these will not fit
        packed |= {path: _encode_data_url(path) for _, path in chosen if path not in packed}
        if sum(len(packed[path]) for _, path in chosen) > MAX_FRAMES_LENGTH:
            break
        urls = {step: packed[path] for step, path in chosen if packed[path]}
    frames = [Frame(step, url) for step, url in urls.items()]
    return sorted([*frames, *(Frame(step, "") for step in hung)])


def find_real_grid(record: Record) -> Path | None:
    """The sheet of real samples; None where there is none."""
    if record.folder is None:
        return None
    return next(iter(sorted((record.folder / "samples").glob("real.*"))), None)


def choose_grids(
    sheets: Sequence[tuple[int, Path]], onset: int | None, count: int = MAX_GRIDS
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


def _build_grid_image(
    step: int | None, path: Path, real: Path | None, name: str
) -> GridImage | None:
    title = "real data" if step is None else f"step {step}"
    whose = "Real samples" if step is None else f"The generator's samples at {title}"
    if path.suffix != ".npy":
        url = _encode_data_url(path)
        return GridImage(title, whose, url, "", step) if url else None
    try:
        points = np.load(path, allow_pickle=False)
        behind = np.load(real, allow_pickle=False) if real else points[:0]
    except (OSError, ValueError):  # an interrupted or foreign file
        return None
    return _build_scatter_image(title, whose, points, behind, step, name)


def load_real_points(path: Path | None) -> NDArray[np.float64]:
    """Real points of a plane, ``(n, 2)``, from their sheet; none where there is no such sheet."""
    try:
        points = np.load(path, allow_pickle=False) if path else np.empty((0, 2))
    except (OSError, ValueError):  # an interrupted or foreign file
        points = np.empty((0, 2))
    return np.asarray(points if points.ndim == 2 else np.empty((0, 2)), float)


def _build_plane_images(
    looks: Sequence[PlaneFrame], real: NDArray[np.float64], onset: int | None, name: str
) -> list[GridImage]:
    """The game in a plane at some steps."""
    pulls = dict(zip((look.step for look in looks), scale_arrows(looks), strict=True))
    plates = []
    for look in choose_frames(looks, MAX_GRIDS, onset):
        picture = draw_plane(look, pulls[look.step], real, f"{name}-plane-{look.step}")
        alt = f"The plane at step {look.step}"
        plates.append(
            GridImage(f"step {look.step}", alt, "", picture.svg, look.step, picture.caption)
        )
    return plates


def _build_scatter_image(
    title: str,
    whose: str,
    points: NDArray[np.float32],
    real: NDArray[np.float32],
    step: int | None,
    name: str,
) -> GridImage:
    unique = f"{name}-{title.replace(' ', '-')}"
    picture = draw_scatter(points[:0] if step is None else points, real, unique, "")
    note = picture.caption.removeprefix(SCATTER_CAPTION).strip()
    return GridImage(title, f"{whose}. {picture.caption}", "", picture.svg, step, note)


def _encode_data_url(path: Path) -> str:
    """A picture as data URL, the smaller of itself and a WebP; empty where it cannot be read."""
    try:
        data = path.read_bytes()
        with Image.open(io.BytesIO(data)) as image:
            image.load()
            kind, packed = (image.format or "png").lower(), _encode_webp(image)
    except (OSError, ValueError):  # an interrupted or foreign file
        return ""
    if len(packed) < len(data):
        kind, data = "webp", packed
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def _encode_webp(image: Image.Image) -> bytes:
    """The image as WebP, shrunk until it fits."""
    picture = image.convert("RGB")
    while True:
        buffer = io.BytesIO()
        picture.save(buffer, "WEBP", quality=WEBP_QUALITY)
        if buffer.tell() <= MAX_IMAGE_BYTES:
            return buffer.getvalue()
        size = (max(1, picture.width * 3 // 4), max(1, picture.height * 3 // 4))
        picture = picture.resize(size, Image.Resampling.LANCZOS)
