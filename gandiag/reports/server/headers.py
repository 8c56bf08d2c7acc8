"""The text part of the live dashboard: phase, verdict, diagnoses and newest samples of each run."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import NamedTuple
from urllib.parse import urlencode

from gandiag.diagnosis.diagnosis import Diagnosis, humanize
from gandiag.reports.formatting import MARKS, select_shown, sort_by_status
from gandiag.reports.report import format_verdict
from gandiag.reports.server.runs import RunSummary

_BACK_LINK = '<p><a href="./">All runs</a></p>'


class RunState(NamedTuple):
    """The current state of a run on the dashboard.

    Attributes:
        run: summary of the run's folder.
        diagnoses: the newest diagnoses; empty before the first evaluation.
        problem: why the record cannot be read; empty if it can.
        has_real_grid: whether there is a grid of real samples.
        newest_grid_step: step of the newest grid of generated samples; None if there is none.
    """

    run: RunSummary
    diagnoses: tuple[Diagnosis, ...]
    problem: str
    has_real_grid: bool
    newest_grid_step: int | None


def render_header(states: Sequence[RunState]) -> str:
    """Render the runs side by side as HTML; all texts of a run are escaped."""
    sections = "".join(map(_render_run, states))
    return f'<div class="dashboard">{_BACK_LINK}<div class="beside">{sections}</div></div>'


def render_problem(problem: str) -> str:
    """Render a message in place of a dashboard that cannot be shown."""
    return f'<div class="dashboard">{_BACK_LINK}<p class="note">{escape(problem)}</p></div>'


def _render_run(state: RunState) -> str:
    run, diagnoses = state.run, sort_by_status(select_shown(state.diagnoses))
    planned = "" if run.planned_steps is None else f" of {run.planned_steps}"
    verdict = format_verdict(diagnoses) if diagnoses else "not evaluated yet"
    problem = f'<p class="note">{escape(state.problem)}</p>' if state.problem else ""
    return (
        f"<section><h1>{escape(run.name)}</h1>"
        f'<p class="verdict">{escape(verdict[:1].upper() + verdict[1:])}</p>'
        f'<p><span class="phase-{run.phase.replace(" ", "-")}">{run.phase}</span>, '
        f"step {run.step}{planned}</p>{problem}"
        f'<div class="grids">{_render_grids(state)}</div>'
        f'<ul class="diagnoses">{"".join(map(_render_diagnosis, diagnoses))}</ul></section>'
    )


def _render_diagnosis(diagnosis: Diagnosis) -> str:
    mark = f'<span aria-hidden="true">{MARKS[diagnosis.status]} </span>'
    text = f"{escape(humanize(diagnosis.condition))}: {diagnosis.status}"
    badge = f'<span class="badge {diagnosis.status}">{mark}{text}</span>'
    return f"<li>{badge} {escape(diagnosis.summary)}</li>"


def _render_grids(state: RunState) -> str:
    # The step is part of the URL, so that the browser keeps a grid until there is a newer one.
    grids: list[tuple[str | int, str]] = [("real", "real data")] if state.has_real_grid else []
    if state.newest_grid_step is not None:
        grids.append((state.newest_grid_step, f"step {state.newest_grid_step}"))
    figures = []
    for step, title in grids:
        url = escape(f"grid?{urlencode({'run': state.run.name, 'step': step})}", quote=True)
        image = f'<img src="{url}" alt="Samples: {title}">'
        figures.append(f"<figure>{image}<figcaption>{title}</figcaption></figure>")
    return "".join(figures)
