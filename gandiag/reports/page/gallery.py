"""Sample grids for a page: a few, spread evenly over the run, and small enough to embed."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gandiag.records.record import SAMPLES_FOLDER, Record
from gandiag.records.sample_grids import read_picture, read_points
from gandiag.reports.figures import draw_scatter
from gandiag.reports.figures.plane import (
    PLANE_CAPTION,
    PlaneFrame,
    choose_frames,
    draw_plane,
    read_plane_frames,
    scale_arrows,
)
from gandiag.reports.figures.scatter import SCATTER_CAPTION

MAX_GRIDS = 6  # grids of generated samples on a page
MAX_FRAMES = 40  # grids that follow the cursor of the section Explore
MAX_IMAGE_BYTES = 80_000  # of one image: seven of them take less than 0.8 MB in base64
MAX_FRAMES_LENGTH = 500_000  # base64 characters of all frames that are not already on the page
WEBP_QUALITY = 75  # at this quality the noise of early grids takes half the bytes of a PNG


class GridImage(NamedTuple):
    """A sample grid on the page: images as a data URL, or points as an SVG figure.

    Attributes:
        title: ``real data``, or the generator step.
        alt: description for screen readers.
        url: ``data:image/...``; empty for points.
        svg: a scatter plot; empty for images.
        step: generator step; None for the real data.
        note: samples that the picture does not show, such as points outside the view.
    """

    title: str
    alt: str
    url: str
    svg: str
    step: int | None = None
    note: str = ""


class Frame(NamedTuple):
    """A sample grid under the cursor; `url` is empty if the page already shows the grid."""

    step: int
    url: str


def list_grid_steps(record: Record) -> frozenset[int]:
    """Steps at which there is a grid of generated samples."""
    frames = read_plane_frames(record)
    if frames:
        return frozenset(frame.step for frame in frames)
    return frozenset(step for step, _ in record.sample_grids())


def explain_grids(record: Record) -> str:
    """Explain how to read the sample grids."""
    if read_plane_frames(record):
        return PLANE_CAPTION
    if any(path.suffix == ".npy" for _, path in record.sample_grids()):
        return SCATTER_CAPTION
    return "All grids use the same latents: a cell of the grid shows how one sample changes."


def build_grid_images(
    record: Record,
    onset: int | None,
    name: str = "grid",
    among: frozenset[int] = frozenset(),
) -> list[GridImage]:
    """Build the real grid, then a few grids of generated samples; unreadable files are skipped.

    Args:
        record: the record of the run.
        onset: the first grid from this step on is always shown.
        name: prefix of the ids of figures, unique in the page.
        among: steps to choose from; all steps if empty.
    """
    real, frames = find_real_grid(record), read_plane_frames(record)
    if frames:
        kept = [frame for frame in frames if not among or frame.step in among]
        return _build_plane_images(kept, load_real_points(real), onset, name)
    wanted: list[tuple[int | None, Path]] = [(None, real)] if real else []
    grids = [each for each in record.sample_grids() if not among or each[0] in among]
    wanted += choose_grids(grids, onset)
    images = (_build_grid_image(step, path, real, name) for step, path in wanted)
    return [image for image in images if image is not None]


def build_frames(record: Record, shown: Sequence[GridImage]) -> list[Frame]:
    """Choose the grids of images that follow the cursor: evenly spaced, as many as fit.

    Args:
        record: the record of the run.
        shown: the grids that the page already shows; their images are not stored again.
    """
    shown_steps = {grid.step for grid in shown if grid.url and grid.step is not None}
    grids = [(step, path) for step, path in record.sample_grids() if path.suffix == ".png"]
    encoded: dict[Path, str] = {}  # an image takes about 10 milliseconds, so each only once
    urls: dict[int, str] = {}
    # Twice as many each time, as the size of an image is known only after its encoding.
    for count in (MAX_FRAMES // 4, MAX_FRAMES // 2, MAX_FRAMES):
        chosen = [item for item in choose_grids(grids, None, count) if item[0] not in shown_steps]
        if urls and len(chosen) * sum(map(len, urls.values())) > MAX_FRAMES_LENGTH * len(urls):
            break  # at the mean size of the images so far, twice as many will not fit
        encoded |= {path: _encode_data_url(path) for _, path in chosen if path not in encoded}
        if sum(len(encoded[path]) for _, path in chosen) > MAX_FRAMES_LENGTH:
            break
        urls = {step: encoded[path] for step, path in chosen if encoded[path]}
    frames = [Frame(step, url) for step, url in urls.items()]
    return sorted([*frames, *(Frame(step, "") for step in shown_steps)])


def find_real_grid(record: Record) -> Path | None:
    """Find the file with the grid of real samples; None if there is none."""
    if record.folder is None:
        return None
    files = (record.folder / SAMPLES_FOLDER / f"real{suffix}" for suffix in (".npy", ".png"))
    return next((path for path in files if path.is_file()), None)


def choose_grids(
    grids: Sequence[tuple[int, Path]], onset: int | None, count: int = MAX_GRIDS
) -> list[tuple[int, Path]]:
    """Choose evenly spaced grids, with the first, the last, and the first one after the onset.

    >>> [step for step, _ in choose_grids([(s, Path()) for s in range(0, 1100, 100)], 350, 4)]
    [0, 300, 400, 1000]
    """
    if len(grids) <= count:
        return list(grids)
    if count < 2:
        return []
    steps = np.array([step for step, _ in grids])
    # A set: the onset or an evenly spaced grid may be the first or last one.
    picked = {0, len(grids) - 1}
    if onset is not None and onset <= steps[-1]:
        picked.add(int(np.searchsorted(steps, onset)))
    for index in np.linspace(0, len(grids) - 1, count).round().astype(int):
        if len(picked) < count:
            picked.add(int(index))
    return [grids[index] for index in sorted(picked)]


def _build_grid_image(
    step: int | None, path: Path, real: Path | None, name: str
) -> GridImage | None:
    title = "real data" if step is None else f"step {step}"
    alt = "Real samples" if step is None else f"Generated samples at {title}"
    if path.suffix != ".npy":
        url = _encode_data_url(path)
        return GridImage(title, alt, url, "", step) if url else None
    try:
        points = read_points(path)
    except (OSError, ValueError):  # a damaged file, or one that gandiag did not write
        return None
    return _build_scatter_image(title, alt, points, load_real_points(real), step, name)


def load_real_points(path: Path | None) -> NDArray[np.float64]:
    """Load real points from their file, shape ``(n, d)``; no points if there is no such file."""
    try:
        return read_points(path) if path else np.empty((0, 2))
    except (OSError, ValueError):  # a damaged file, or one that gandiag did not write
        return np.empty((0, 2))


def _build_plane_images(
    frames: Sequence[PlaneFrame], real: NDArray[np.float64], onset: int | None, name: str
) -> list[GridImage]:
    """Draw the plane at a few steps; arrows have the same scale in all of them."""
    arrows = dict(zip((frame.step for frame in frames), scale_arrows(frames), strict=True))
    images = []
    for frame in choose_frames(frames, MAX_GRIDS, onset):
        step = frame.step
        picture = draw_plane(frame, arrows[step], real, f"{name}-plane-{step}")
        alt = f"The plane at step {step}"
        images.append(GridImage(f"step {step}", alt, "", picture.svg, step, picture.caption))
    return images


def _build_scatter_image(
    title: str,
    alt: str,
    points: NDArray[np.float64],
    real: NDArray[np.float64],
    step: int | None,
    name: str,
) -> GridImage:
    unique = f"{name}-{title.replace(' ', '-')}"
    # The real grid is drawn as the background only, without samples.
    picture = draw_scatter(points[:0] if step is None else points, real, unique, "")
    note = picture.caption.removeprefix(SCATTER_CAPTION).strip()
    return GridImage(title, f"{alt}. {picture.caption}", "", picture.svg, step, note)


def _encode_data_url(path: Path) -> str:
    """Encode an image as data URL, as WebP if that is smaller; empty if it cannot be read."""
    try:
        data, image = read_picture(path)
        format_name, webp = "png", _encode_webp(image)
    except (OSError, ValueError):  # a damaged file, or one that gandiag did not write
        return ""
    if len(webp) < len(data):
        format_name, data = "webp", webp
    return f"data:image/{format_name};base64,{base64.b64encode(data).decode()}"


def _encode_webp(image: Image.Image) -> bytes:
    """Encode an image as WebP, and shrink it until it has at most `MAX_IMAGE_BYTES`."""
    # Pixels of a palette have no colours of their own, so they could not be averaged below.
    picture = image.convert("RGB")
    while True:
        buffer = io.BytesIO()
        picture.save(buffer, "WEBP", quality=WEBP_QUALITY)
        if buffer.tell() <= MAX_IMAGE_BYTES:
            return buffer.getvalue()
        size = (max(1, picture.width * 3 // 4), max(1, picture.height * 3 // 4))
        picture = picture.resize(size, Image.Resampling.LANCZOS)
