"""The timeline of a run: the status of each failure along the run, and the onsets in order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from gandiag.diagnosis.diagnosis import Diagnosis, Status, humanize
from gandiag.diagnosis.stability import Evaluation
from gandiag.reports.figures.style import INK, LINE, MUTED, RED, Picture, as_svg, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes


LINE_WIDTHS = {"present": 9.0, "inconclusive": 1.6, "absent": 3.0}  # of a lane, in points


def draw_timeline(
    diagnoses: Sequence[Diagnosis],
    history: Sequence[Evaluation],
    last_step: int,
    name: str,
    width: float = 9.2,
) -> Picture | None:
    """Draw one lane for each failure, the earliest onset on top; None without any diagnosis.

    A failure that is present at the end is drawn from its onset. A failure that was present only
    for a time is drawn between the evaluations that found it.

    Args:
        diagnoses: the diagnoses at the end of the run.
        history: statuses at steps along the run.
        last_step: last generator step of the run.
        name: id of the figure, unique in its page.
        width: in inches.
    """
    if not diagnoses:
        return None
    lanes = sorted(diagnoses, key=_onset_order)
    with new_figure(width, 0.75 + 0.36 * len(lanes)) as figure:
        axes = figure.subplots()
        for height, diagnosis in enumerate(reversed(lanes)):
            _draw_lane(axes, height, diagnosis, history, last_step)
        axes.set_yticks(
            range(len(lanes)), [humanize(d.condition) for d in reversed(lanes)], fontsize=10
        )
        axes.set(xlim=(0, max(last_step, 1) * 1.01), ylim=(-0.6, len(lanes) - 0.1))
        axes.set_xlabel("generator step")
        axes.grid(visible=False, axis="y")
        axes.tick_params(length=0)
        axes.spines["left"].set_visible(False)
        caption = (
            "Each lane is one failure: a thick bar where it was present, a thin line where it was "
            "absent, dots where the evaluation was inconclusive. A triangle marks the onset; the "
            "earliest onset is on top."
        )
        return Picture(as_svg(figure, name, f"{_describe_lanes(lanes)} {caption}"), caption)


def _draw_lane(
    axes: Axes, height: int, diagnosis: Diagnosis, history: Sequence[Evaluation], last_step: int
) -> None:
    for ends, status in _find_spans(diagnosis.condition, history):
        _draw_span(axes, height, ends, status)
    if diagnosis.status != "present" or diagnosis.onset is None:
        return
    # The onset is more exact than the evaluations, which are few: it is drawn over their spans.
    onset = diagnosis.onset
    _draw_span(axes, height, (onset, last_step), "present")
    axes.plot(onset, height + 0.3, "v", color=INK, markersize=5)
    text, near_end = f"since {onset}", onset > 0.8 * last_step  # then the text would not fit
    axes.annotate(
        text,
        (onset, height + 0.3),
        (-6 if near_end else 6, 0),
        textcoords="offset points",
        va="center",
        ha="right" if near_end else "left",
        fontsize=9,
        color=INK,
    )


def _find_spans(
    condition: str, history: Sequence[Evaluation]
) -> Iterator[tuple[tuple[int, int], Status | None]]:
    """Yield (begin, end) and status of each span of equal statuses.

    A span ends at the last evaluation with its status.
    """
    begin = end = 0
    for status, group in groupby(history, lambda each: each.statuses.get(condition)):
        *_, last = group
        begin, end = end, last.step  # spans join without gaps
        yield (begin, end), status


def _draw_span(axes: Axes, height: int, ends: tuple[int, int], status: Status | None) -> None:
    if status is None:
        return
    colour = {"present": RED, "absent": LINE, "inconclusive": MUTED}[status]
    style = ":" if status == "inconclusive" else "-"
    axes.plot(
        ends,
        (height, height),
        style,
        color=colour,
        linewidth=LINE_WIDTHS[status],
        solid_capstyle="butt",
    )


def _onset_order(diagnosis: Diagnosis) -> tuple[bool, int]:
    """Sort key: failures with an onset first, in the order of their onsets."""
    has_onset = diagnosis.status == "present" and diagnosis.onset is not None
    return not has_onset, diagnosis.onset or 0


def _describe_lanes(lanes: Sequence[Diagnosis]) -> str:
    """Describe the figure in words, for screen readers."""
    parts = [
        f"{humanize(d.condition)} {d.status}" + (f" since step {d.onset}" if d.onset else "")
        for d in lanes
    ]
    return f"Timeline: {'; '.join(parts)}."
