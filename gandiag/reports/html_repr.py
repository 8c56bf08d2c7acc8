"""How a report, or a watch over a loop that still runs, shows itself in a notebook."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from html import escape

from gandiag.diagnosis.diagnosis import Diagnosis, Evidence, humanize
from gandiag.records.record import Record
from gandiag.reports.figures import Picture, draw_confidence, draw_evidence, draw_losses

_COLOURS = {"present": "#bf4f00", "absent": "#00664a", "inconclusive": "#6b5200"}
_STATUSES = tuple(_COLOURS)
# its colours are those of the light page: in a notebook that is dark it needs its own paper
_PAPER = "max-width: 46rem; padding: .5rem 1rem; background: #ffffff; color: #1d2430"
_MAX_FIGURES = 3  # of the evidence on what is present; a cell is no page


def render_run(title: str, verdict: str, record: Record, diagnoses: Sequence[Diagnosis]) -> str:
    """A piece of a page: the verdict, what each detector found, and a few curves.

    What came with a run is only text in it. It needs no script and loads nothing.

    Args:
        title: what is shown.
        verdict: one line.
        record: where the curves are from.
        diagnoses: what was found.
    """
    ordered = sorted(diagnoses, key=lambda d: (_STATUSES.index(d.status), d.onset or 0))
    name = f"nb{uuid.uuid4().hex[:8]}"  # ids of figures, as the same cell may be shown twice
    parts = [
        f"<p>{escape(title)}<br><strong>{escape(verdict)}</strong></p>",
        *(_render_diagnosis(diagnosis) for diagnosis in ordered),
        *(
            _render_picture(picture)
            for picture in _draw_pictures(record, ordered, name)
            if picture is not None
        ),
    ]
    return f'<div style="{_PAPER}">{"".join(parts)}</div>'


def _render_diagnosis(diagnosis: Diagnosis) -> str:
    """A diagnosis in words, with its evidence to be opened."""
    kind = f" ({humanize(diagnosis.kind)})" if diagnosis.kind else ""
    since = "" if diagnosis.onset is None else f" since step {diagnosis.onset}"
    head = f"{humanize(diagnosis.condition)}: {diagnosis.status}{kind}{since}"
    rows = "".join(_render_evidence(item) for item in diagnosis.evidence)
    table = f"<details><summary>evidence</summary><table>{rows}</table></details>" if rows else ""
    colour = _COLOURS[diagnosis.status]
    return (
        f'<p><strong style="color: {colour}">{escape(head)}</strong><br>'
        f"{escape(diagnosis.summary)}</p>{table}"
    )


def _render_evidence(item: Evidence) -> str:
    gate = f"{'below' if item.relation == '<' else 'above'} {item.threshold:.3g}"
    cells = (item.meaning, item.signal, f"{item.observed:.3g}", f"for it if {gate}")
    return f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"


def _draw_pictures(
    record: Record, diagnoses: Sequence[Diagnosis], name: str
) -> Iterator[Picture | None]:
    """Curves of the evidence on what is present, then the losses and D's confidence."""
    present = [diagnosis for diagnosis in diagnoses if diagnosis.status == "present"]
    shown = {e.signal: (d, e) for d in reversed(present) for e in d.evidence if e.holds}
    for index, (diagnosis, item) in enumerate(list(shown.values())[-_MAX_FIGURES:]):
        yield draw_evidence(record, diagnosis, item, f"{name}-{index}")
    onset = present[0].onset if present else None
    yield draw_losses(record, f"{name}-loss", onset)
    yield draw_confidence(record, f"{name}-confidence", onset)


def _render_picture(picture: Picture) -> str:
    caption = f"<figcaption>{escape(picture.caption)}</figcaption>"
    return f'<figure style="margin: 1rem 0">{picture.svg}{caption}</figure>'
