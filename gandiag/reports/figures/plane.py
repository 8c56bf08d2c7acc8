"""Figures of training on points of a plane: D's output, samples, and their gradients.

They show for a recorded run what GAN Lab (Kahng et al. 2018, arXiv:1809.01587) shows in a browser.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gandiag.monitoring.signals import (
    PLANE_GRADIENT,
    PLANE_PATHS,
    PLANE_PROBABILITY,
    PLANE_SAMPLES,
    PLANE_SCORE,
    PLANE_VIEW,
)
from gandiag.records.record import Record, Signal
from gandiag.reports.figures.style import DPI, Picture, as_png, as_svg, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes


Points = NDArray[np.float64]

PLANE_CAPTION = (
    "Blue: D takes the point for real; orange: for generated. Black dots are real data, red "
    "crosses are samples. The arrow at a cross shows in which direction, and how strongly, the "
    "generator's loss moves the sample. Thin lines are the samples along paths through the "
    "latents: where all lines meet in one point, the generator makes one sample."
)
# These colours do not follow a dark page: they must stay readable over the heat map.
REAL_POINTS_COLOUR, SAMPLES_COLOUR, PATHS_COLOUR = "#111111", "#a01010", "#333333"
# Colours of the heat map where D's output is 0, 0.5 and 1.
GENERATED_COLOUR, UNDECIDED_COLOUR, REAL_COLOUR = "#f6b26b", "#f7f7f7", "#7fb8e0"
# Lengths of arrows as fractions of the view: of a median gradient at the evaluation with the
# strongest gradients, and of the longest arrow that is drawn.
ARROW_LENGTH = 0.1
MAX_ARROW_LENGTH = 0.3
ARROW_STYLE: dict[str, Any] = {
    "angles": "xy",  # directions and lengths in data units
    "scale_units": "xy",
    "scale": 1,
    "width": 0.004,  # shaft as a fraction of the view; sizes of the head are multiples of it
    "headwidth": 4.5,
    "headlength": 6,
    "headaxislength": 5,
    "minlength": 0,
}


class PlaneFrame(NamedTuple):
    """One evaluation of the probe ``plane``.

    Attributes:
        step: generator step.
        view: lower and upper end of both axes.
        fakes: generated samples, shape ``(n, 2)``.
        descent: negative gradient of G's loss at each sample, shape ``(n, 2)``; empty if it was
            not measured.
        paths: samples along closed paths of latents, shape ``(paths, points, 2)``; may be empty.
        field: D's output on a grid of ``(k, k)`` points, in [0, 1], the lowest row first; may be
            empty. Scores of a critic are scaled by their least and largest value in the run.
    """

    step: int
    view: tuple[float, float]
    fakes: Points
    descent: Points
    paths: Points
    field: Points


def read_plane_frames(record: Record) -> list[PlaneFrame]:
    """Read every evaluation of the probe ``plane``; empty if the run did not record it."""
    fakes, view = record[PLANE_SAMPLES], record[PLANE_VIEW]
    if fakes.values.ndim != 2 or view.values.ndim != 2:
        return []
    gradient, paths = record[PLANE_GRADIENT], record[PLANE_PATHS]
    probability, score = record[PLANE_PROBABILITY], record[PLANE_SCORE]
    has_probability = len(probability.steps) > 0  # a critic has scores only
    field = probability if has_probability else score._replace(values=_scale_to_unit(score.values))
    frames = []
    for index, step in enumerate(fakes.steps.tolist()):
        # The probe stores the number of points of a path behind the two ends of the view.
        low, high, points = _value_at(view, step)
        flat = _value_at(field, step)
        side = round(len(flat) ** 0.5)  # the grid is stored as a flat vector
        frames.append(
            PlaneFrame(
                step=step,
                view=(float(low), float(high)),
                fakes=fakes.values[index].reshape(-1, 2),
                descent=_value_at(gradient, step).reshape(-1, 2),
                paths=_value_at(paths, step).reshape(-1, int(points), 2),
                field=flat.reshape(side, side),
            )
        )
    return frames


def choose_frames(
    frames: Sequence[PlaneFrame], count: int, step: int | None = None
) -> list[PlaneFrame]:
    """Choose evenly spaced frames, with the first, the last, and the first one from `step` on."""
    if len(frames) <= count:
        return list(frames)
    kept = set(np.linspace(0, len(frames) - 1, count).round().astype(int).tolist())
    later = [i for i, frame in enumerate(frames) if step is not None and frame.step >= step]
    wanted = later[0] if later else 0
    if wanted not in kept:  # it replaces the nearest inner frame, so that the count stays
        inner = sorted(kept - {0, len(frames) - 1}, key=lambda i: abs(i - wanted))
        kept = kept - set(inner[:1]) | {wanted}
    return [frames[i] for i in sorted(kept)]


def scale_arrows(frames: Sequence[PlaneFrame]) -> list[Points]:
    """Scale the gradients of all frames to arrows in data units, by one common factor."""
    medians = [np.median(size) for frame in frames if len(size := np.hypot(*frame.descent.T))]
    strongest = max((size for size in medians if np.isfinite(size)), default=0.0)
    arrows = []
    # One factor for all frames, so that arrows show how the gradients grow or vanish during a run.
    for frame in frames:
        extent = frame.view[1] - frame.view[0]
        arrow = np.where(np.isfinite(frame.descent), frame.descent, 0.0)
        arrow = arrow * (ARROW_LENGTH * extent / strongest if strongest > 0 else 0.0)
        length = np.hypot(arrow[:, 0], arrow[:, 1])[:, None]
        arrows.append(
            arrow * np.minimum(1.0, MAX_ARROW_LENGTH * extent / np.maximum(length, 1e-300))
        )
    return arrows


def draw_plane(frame: PlaneFrame, arrows: Points, real: Points, name: str) -> Picture:
    """Draw one frame as SVG.

    Args:
        frame: the frame.
        arrows: its arrows from `scale_arrows`.
        real: real points, shape ``(n, 2)``.
        name: id of the figure, unique in its page.
    """
    with new_figure(2.6, 2.6) as figure:
        _draw_frame(figure.subplots(), frame, arrows, real)
        outside = int(_is_outside(frame).sum())
        count = f"{outside} sample{'s' if outside > 1 else ''}"
        note = f" Squares at the edge: {count} outside the view." if outside else ""
        label = f"The plane at step {frame.step}. {PLANE_CAPTION}{note}"
        return Picture(as_svg(figure, name, label), note.strip())


def draw_plane_png(frame: PlaneFrame, arrows: Points, real: Points, side: int) -> bytes:
    """Draw one frame as a PNG of `side` x `side` pixels, without a margin."""
    with new_figure(side / DPI, side / DPI, below=0) as figure:
        _draw_frame(figure.add_axes((0, 0, 1, 1)), frame, arrows, real)
        return as_png(figure)


def build_colour_map() -> Any:
    """Colour map from generated (0) to real (1); readable with common colour deficiencies."""
    import seaborn

    colours = [GENERATED_COLOUR, UNDECIDED_COLOUR, REAL_COLOUR]
    return seaborn.blend_palette(colours, as_cmap=True)


def _draw_frame(axes: Axes, frame: PlaneFrame, arrows: Points, real: Points) -> None:
    low, high = frame.view
    ends = (low, high, low, high)
    if frame.field.size:
        colours = build_colour_map()
        axes.imshow(frame.field, cmap=colours, vmin=0, vmax=1, origin="lower", extent=ends)
    for path in frame.paths:
        closed = np.vstack([path, path[:1]])
        axes.plot(*closed.T, color=PATHS_COLOUR, linewidth=0.5, alpha=0.6)
    axes.scatter(real[:, 0], real[:, 1], s=5, color=REAL_POINTS_COLOUR, linewidths=0, alpha=0.7)
    _draw_fakes(axes, frame, arrows)
    axes.set(xlim=(low, high), ylim=(low, high), aspect="equal", xticks=[], yticks=[])


def _draw_fakes(axes: Axes, frame: PlaneFrame, arrows: Points) -> None:
    """Draw samples with their arrows; samples outside the view are squares at its edge."""
    outside = _is_outside(frame)
    if len(arrows):
        drawn = ~outside & (arrows != 0).any(1)
        axes.quiver(*frame.fakes[drawn].T, *arrows[drawn].T, color=SAMPLES_COLOUR, **ARROW_STYLE)
    x, y = frame.fakes[~outside].T
    axes.scatter(x, y, s=12, color=SAMPLES_COLOUR, marker="x", linewidths=0.9)
    x, y = np.clip(frame.fakes[outside], *frame.view).T
    axes.scatter(x, y, s=9, color=SAMPLES_COLOUR, marker="s", linewidths=0, clip_on=False)


def _is_outside(frame: PlaneFrame) -> NDArray[np.bool_]:
    """Which samples lie outside the view."""
    low, high = frame.view
    return np.asarray(((frame.fakes < low) | (frame.fakes > high)).any(axis=1))


def _value_at(signal: Signal, step: int) -> Points:
    """Value of a vector signal at exactly this step; empty if there is none."""
    index = int(np.searchsorted(signal.steps, step))
    there = index < len(signal.steps) and signal.steps[index] == step
    return signal.values[index] if there else np.empty(0)


def _scale_to_unit(values: Points) -> Points:
    """Scale scores to [0, 1] by the least and largest finite one of the run."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return values
    low, high = float(finite.min()), float(finite.max())
    return np.asarray((values - low) / ((high - low) or 1.0))
