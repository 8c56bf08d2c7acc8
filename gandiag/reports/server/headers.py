"""What a board says in words: of each run its state, its verdict, and its newest samples."""

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
    """A run as a board shows it.

    Attributes:
        run: as its folder shows it.
        diagnoses: what was found so far.
        problem: what is wrong with its record; empty where nothing is.
        real: whether there is a sheet of real samples.
        newest: step of the newest sheet of the generator's; None where there is none.
    """

    run: RunSummary
    diagnoses: tuple[Diagnosis, ...]
    problem: str
    has_real_grid: bool
    newest_grid_step: int | None


def render_header(standings: Sequence[RunState]) -> str:
    """The words of a board as HTML, in which what came with a run is only text."""
    told = "".join(map(_render_run, standings))
    return f'<div class="board">{_BACK_LINK}<div class="beside">{told}</div></div>'


def render_problem(problem: str) -> str:
    """What is said where there is nothing to show."""
    return f'<div class="board">{_BACK_LINK}<p class="note">{escape(problem)}</p></div>'


def _render_run(standing: RunState) -> str:
    run, diagnoses = standing.run, sort_by_status(select_shown(standing.diagnoses))
    planned = "" if run.planned_steps is None else f" of {run.planned_steps}"
    found = format_verdict(diagnoses) if diagnoses else "not judged yet"
    broken = f'<p class="note">{escape(standing.problem)}</p>' if standing.problem else ""
    return (
        f"<section><h1>{escape(run.name)}</h1>"
        f'<p class="verdict">{escape(found[:1].upper() + found[1:])}</p>'
        f'<p><span class="state-{run.phase.replace(" ", "-")}">{run.phase}</span>, '
        f"step {run.step}{planned}</p>{broken}"
        f'<div class="sheets">{_render_grids(standing)}</div>'
        f'<ul class="answers">{"".join(map(_render_diagnosis, diagnoses))}</ul></section>'
    )


def _render_diagnosis(diagnosis: Diagnosis) -> str:
    mark = f'<span aria-hidden="true">{MARKS[diagnosis.status]} </span>'
    said = f"{escape(humanize(diagnosis.condition))}: {diagnosis.status}"
    badge = f'<span class="badge {diagnosis.status}">{mark}{said}</span>'
    return f"<li>{badge} {escape(diagnosis.summary)}</li>"


def _render_grids(standing: RunState) -> str:
    shown: list[tuple[str | int, str]] = [("real", "real data")] if standing.has_real_grid else []
    if standing.newest_grid_step is not None:
        shown.append((standing.newest_grid_step, f"step {standing.newest_grid_step}"))
    pictures = []
    for step, words in shown:
        place = escape(f"sheet?{urlencode({'run': standing.run.name, 'step': step})}", quote=True)
        image = f'<img src="{place}" alt="Samples: {words}">'
        pictures.append(f"<figure>{image}<figcaption>{words}</figcaption></figure>")
    return "".join(pictures)
