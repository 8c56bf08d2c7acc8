"""What a board says in words: of each run its state, its verdict, and its newest samples."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import NamedTuple
from urllib.parse import urlencode

from gandiag.diagnosis.diagnosis import Diagnosis
from gandiag.reports.formatting import MARKS, by_weight, plain, shown
from gandiag.reports.report import verdict
from gandiag.reports.server.runs import Run

_BACK = '<p><a href="./">All runs</a></p>'


class RunState(NamedTuple):
    """A run as a board shows it.

    Attributes:
        run: as its folder shows it.
        diagnoses: what was found so far.
        problem: what is wrong with its record; empty where nothing is.
        real: whether there is a sheet of real samples.
        newest: step of the newest sheet of the generator's; None where there is none.
    """

    run: Run
    diagnoses: tuple[Diagnosis, ...]
    problem: str
    real: bool
    newest: int | None


def head_of(standings: Sequence[RunState]) -> str:
    """The words of a board as HTML, in which what came with a run is only text."""
    told = "".join(map(_told, standings))
    return f'<div class="board">{_BACK}<div class="beside">{told}</div></div>'


def unknown(problem: str) -> str:
    """What is said where there is nothing to show."""
    return f'<div class="board">{_BACK}<p class="note">{escape(problem)}</p></div>'


def _told(standing: RunState) -> str:
    run, diagnoses = standing.run, by_weight(shown(standing.diagnoses))
    planned = "" if run.planned is None else f" of {run.planned}"
    found = verdict(diagnoses) if diagnoses else "not judged yet"
    broken = f'<p class="note">{escape(standing.problem)}</p>' if standing.problem else ""
    return (
        f"<section><h1>{escape(run.name)}</h1>"
        f'<p class="verdict">{escape(found[:1].upper() + found[1:])}</p>'
        f'<p><span class="state-{run.state.replace(" ", "-")}">{run.state}</span>, '
        f"step {run.step}{planned}</p>{broken}"
        f'<div class="sheets">{_sheets(standing)}</div>'
        f'<ul class="answers">{"".join(map(_answer, diagnoses))}</ul></section>'
    )


def _answer(diagnosis: Diagnosis) -> str:
    mark = f'<span aria-hidden="true">{MARKS[diagnosis.status]} </span>'
    said = f"{escape(plain(diagnosis.condition))}: {diagnosis.status}"
    badge = f'<span class="badge {diagnosis.status}">{mark}{said}</span>'
    return f"<li>{badge} {escape(diagnosis.summary)}</li>"


def _sheets(standing: RunState) -> str:
    shown: list[tuple[str | int, str]] = [("real", "real data")] if standing.real else []
    if standing.newest is not None:
        shown.append((standing.newest, f"step {standing.newest}"))
    pictures = []
    for step, words in shown:
        place = escape(f"sheet?{urlencode({'run': standing.run.name, 'step': step})}", quote=True)
        image = f'<img src="{place}" alt="Samples: {words}">'
        pictures.append(f"<figure>{image}<figcaption>{words}</figcaption></figure>")
    return "".join(pictures)
