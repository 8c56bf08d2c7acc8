"""The game in a plane: D's answer, G's paths, real points, fakes and where each is pulled.

What GAN Lab (Kahng et al. 2018) shows of a game in a browser, of a recorded one.
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
    "Blue is where D takes a point for real, orange where it takes it for made. Black dots are "
    "real data, red crosses samples; an arrow at a cross is where the generator's objective pulls "
    "it, the longer the harder. Thin lines are paths through the latents: where they lie on one "
    "spot, the generator makes one sample."
)
# fixed colours: what lies over a heat map must not turn light with a dark page
REAL_POINTS_COLOUR, SAMPLES_COLOUR, PATHS_COLOUR = "#111111", "#a01010", "#333333"
GENERATED_COLOUR, UNDECIDED_COLOUR, REAL_COLOUR = (
    "#f6b26b",
    "#f7f7f7",
    "#7fb8e0",
)  # of the heat map, D's answer 0 to 1
ARROW_LENGTH = 0.1  # of the view: an arrow of the usual strength at the look where it is strongest
MAX_ARROW_LENGTH = 0.3  # of the view: no arrow is drawn longer
ARROW_STYLE: dict[str, Any] = {
    "angles": "xy",  # lengths are the data's
    "scale_units": "xy",
    "scale": 1,
    "width": 0.004,  # of the view; the head's sizes are widths of the shaft
    "headwidth": 4.5,
    "headlength": 6,
    "headaxislength": 5,
    "minlength": 0,
}


class PlaneFrame(NamedTuple):
    """The plane at one step.

    Attributes:
        step: of the generator.
        view: lower and upper end of both axes.
        fakes: ``(n, 2)``.
        pull: ``(n, 2)``, how the objective moves each of them; empty where it was not measured.
        paths: ``(p, t, 2)`` points of p closed paths; empty where they were not made.
        field: ``(k, k)`` D's answer in [0, 1], rows from below; empty where it was not asked. A
            critic's scores are put between the smallest and the largest of the run.
    """

    step: int
    view: tuple[float, float]
    fakes: Points
    descent: Points
    paths: Points
    field: Points


def read_plane_frames(record: Record) -> list[PlaneFrame]:
    """Every recorded look at the plane; none for samples that are no points of it."""
    fakes, view = record[PLANE_SAMPLES], record[PLANE_VIEW]
    if fakes.values.ndim != 2 or view.values.ndim != 2:
        return []
    pull, paths = record[PLANE_GRADIENT], record[PLANE_PATHS]
    answer, score = record[PLANE_PROBABILITY], record[PLANE_SCORE]
    field = answer if len(answer.steps) else score._replace(values=_scale_to_unit(score.values))
    found = []
    for index, step in enumerate(fakes.steps.tolist()):
        low, high, points = _value_at(view, step)
        flat = _value_at(field, step)
        side = round(len(flat) ** 0.5)
        found.append(
            PlaneFrame(
                step=step,
                view=(float(low), float(high)),
                fakes=fakes.values[index].reshape(-1, 2),
                descent=_value_at(pull, step).reshape(-1, 2),
                paths=_value_at(paths, step).reshape(-1, int(points), 2),
                field=flat.reshape(side, side),
            )
        )
    return found


def choose_frames(
    looks: Sequence[PlaneFrame], count: int, step: int | None = None
) -> list[PlaneFrame]:
    """Some looks, spread evenly, the first and the last among them, and the first since `step`."""
    if len(looks) <= count:
        return list(looks)
    kept = set(np.linspace(0, len(looks) - 1, count).round().astype(int).tolist())
    later = [i for i, look in enumerate(looks) if step is not None and look.step >= step]
    since = later[0] if later else 0
    if since not in kept:
        inner = sorted(kept - {0, len(looks) - 1}, key=lambda i: abs(i - since))
        kept = kept - set(inner[:1]) | {since}
    return [looks[i] for i in sorted(kept)]


def scale_arrows(looks: Sequence[PlaneFrame]) -> list[Points]:
    """The pull at each look as it is drawn, in data units, on one scale for all of them."""
    strengths = [np.median(size) for look in looks if len(size := np.hypot(*look.descent.T))]
    strengths = [size for size in strengths if np.isfinite(size)]
    usual = max(strengths, default=0.0)
    drawn = []
    for look in looks:
        extent = look.view[1] - look.view[0]
        pull = np.where(np.isfinite(look.descent), look.descent, 0.0)
        pull = pull * (ARROW_LENGTH * extent / usual if usual > 0 else 0.0)
        length = np.hypot(pull[:, 0], pull[:, 1])[:, None]
        drawn.append(pull * np.minimum(1.0, MAX_ARROW_LENGTH * extent / np.maximum(length, 1e-300)))
    return drawn


def draw_plane(look: PlaneFrame, pull: Points, real: Points, name: str) -> Picture:
    """Draw one look, with its arrows as `scale_arrows` gives them, over ``(n, 2)`` real points."""
    with new_figure(2.6, 2.6) as figure:
        _draw_frame(figure.subplots(), look, pull, real)
        outside = int(_is_outside(look).sum())
        some = f"{outside} sample{'s' if outside > 1 else ''}"
        note = f" Squares at the edge: {some} further out." if outside else ""
        label = f"The plane at step {look.step}. {PLANE_CAPTION}{note}"
        return Picture(as_svg(figure, name, label), note.strip())


def draw_plane_png(look: PlaneFrame, pull: Points, real: Points, side: int) -> bytes:
    """Draw the same as a PNG of `side` pixels a side, without a margin."""
    with new_figure(side / DPI, side / DPI, below=0) as figure:
        _draw_frame(figure.add_axes((0, 0, 1, 1)), look, pull, real)
        return as_png(figure)


def _draw_frame(axes: Axes, look: PlaneFrame, pull: Points, real: Points) -> None:
    low, high = look.view
    ends = (low, high, low, high)
    if look.field.size:
        axes.imshow(
            look.field, cmap=build_colour_map(), vmin=0, vmax=1, origin="lower", extent=ends
        )
    for path in look.paths:
        closed = np.vstack([path, path[:1]])
        axes.plot(*closed.T, color=PATHS_COLOUR, linewidth=0.5, alpha=0.6)
    axes.scatter(real[:, 0], real[:, 1], s=5, color=REAL_POINTS_COLOUR, linewidths=0, alpha=0.7)
    _draw_fakes(axes, look, pull)
    axes.set(xlim=(low, high), ylim=(low, high), aspect="equal", xticks=[], yticks=[])


def build_colour_map() -> Any:
    """From made to genuine, told apart under the common colour deficiencies."""
    import seaborn

    return seaborn.blend_palette([GENERATED_COLOUR, UNDECIDED_COLOUR, REAL_COLOUR], as_cmap=True)


def _draw_fakes(axes: Axes, look: PlaneFrame, pull: Points) -> None:
    """Samples with what pulls them; those outside the view as squares at its edge."""
    outside = _is_outside(look)
    if len(pull):
        moved = ~outside & (pull != 0).any(1)
        axes.quiver(*look.fakes[moved].T, *pull[moved].T, color=SAMPLES_COLOUR, **ARROW_STYLE)
    inner, outer = look.fakes[~outside], np.clip(look.fakes[outside], *look.view)
    axes.scatter(inner[:, 0], inner[:, 1], s=12, color=SAMPLES_COLOUR, marker="x", linewidths=0.9)
    axes.scatter(
        outer[:, 0], outer[:, 1], s=9, color=SAMPLES_COLOUR, marker="s", linewidths=0, clip_on=False
    )


def _is_outside(look: PlaneFrame) -> NDArray[np.bool_]:
    """Which fakes lie outside the view."""
    low, high = look.view
    return np.asarray(((look.fakes < low) | (look.fakes > high)).any(axis=1))


def _value_at(signal: Signal, step: int) -> Points:
    """A vector signal's value at exactly a step; empty where there is none."""
    index = int(np.searchsorted(signal.steps, step))
    there = index < len(signal.steps) and signal.steps[index] == step
    return signal.values[index] if there else np.empty(0)


def _scale_to_unit(values: Points) -> Points:
    finite = values[np.isfinite(values)]
    if not finite.size:
        return values
    low, high = float(finite.min()), float(finite.max())
    return np.asarray((values - low) / ((high - low) or 1.0))
