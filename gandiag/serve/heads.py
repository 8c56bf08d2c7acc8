"""What a board says in words: of each run its state, its verdict, and its newest samples."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from urllib.parse import urlencode

from gandiag.diagnosis import Diagnosis
from gandiag.report import verdict
from gandiag.reporters.wording import MARKS, by_weight, plain
from gandiag.serve.runs import Run

__all__ = ["head_of", "unknown"]

_BACK = '<p><a href="./">All runs</a></p>'
_STYLE = (
    "<style>h2 { font-size: 1.2rem; margin: .8rem 0 .3rem } p, li { margin: .2rem 0 }"
    " img { max-width: 320px; image-rendering: pixelated; margin-right: 1rem }"
    " .runs { display: flex; flex-wrap: wrap; gap: 0 2rem; font: 1rem/1.45 system-ui, sans-serif }"
    " .present { color: #a63a00; font-weight: 600 }</style>"
)


def head_of(runs: Sequence[tuple[Run, tuple[Diagnosis, ...], str]]) -> str:
    """The words of a board as HTML, in which what came with a run is only text.

    Args:
        runs: of each run how it stands, what was found, and what is wrong with its record.
    """
    told = "".join(_told(*each) for each in runs)
    return f'{_STYLE}{_BACK}<div class="runs">{told}</div>'


def unknown(problem: str) -> str:
    """What is said where there is nothing to show."""
    return f"{_BACK}<p>{escape(problem)}</p>"


def _told(run: Run, diagnoses: tuple[Diagnosis, ...], problem: str) -> str:
    planned = "" if run.planned is None else f" of {run.planned}"
    found = verdict(diagnoses) if diagnoses else "not judged yet"
    items = "".join(
        f'<li class="{diagnosis.status}">{MARKS[diagnosis.status]} '
        f"{escape(plain(diagnosis.condition))}: {escape(diagnosis.summary)}</li>"
        for diagnosis in by_weight(diagnoses)
    )
    broken = f'<p class="present">{escape(problem)}</p>' if problem else ""
    real, newest = (f"sheet?{urlencode({'run': run.name, 'step': s})}" for s in ("real", "newest"))
    newest = f"{newest}&amp;at={run.step}"  # another address, so that it is fetched again
    return (
        f"<section><h2>{escape(run.name)}: {escape(found)}</h2>"
        f"<p>{run.state}, step {run.step}{planned}</p>{broken}"
        f'<p><img src="{escape(real, quote=True)}" alt="real samples">'
        f'<img src="{newest}" alt="newest samples"></p>'
        f"<ul>{items}</ul></section>"
    )
