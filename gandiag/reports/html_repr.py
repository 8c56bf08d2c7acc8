"""HTML of a report, or of a running attachment, for a notebook cell."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from html import escape

from gandiag.diagnosis.diagnosis import Diagnosis, Evidence, humanize
from gandiag.records.record import Record
from gandiag.reports.figures import Picture, draw_confidence, draw_evidence, draw_losses
from gandiag.reports.formatting import (
    format_exceeded,
    format_number,
    format_threshold,
    sort_by_status,
)

_COLOURS = {"present": "#bf4f00", "absent": "#00664a", "inconclusive": "#6b5200"}
# The colours of the figures are those of the light page. A notebook may be dark, so the cell has a
# white background of its own.
_CELL_STYLE = "max-width: 46rem; padding: .5rem 1rem; background: #ffffff; color: #1d2430"
_MAX_FIGURES = 3  # evidence figures of present failures: a cell should stay short
_EVIDENCE_HEAD = "".join(
    f"<th>{title}</th>" for title in ("Measured", "Signal", "Observed", "Threshold", "Exceeded")
)


def render_run(title: str, verdict: str, record: Record, diagnoses: Sequence[Diagnosis]) -> str:
    """Render the verdict, each diagnosis and a few curves as a piece of HTML.

    All texts of the run are escaped. The HTML needs no script and loads nothing.

    Args:
        title: name of the run.
        verdict: one line, see `format_verdict`.
        record: the signals of the curves.
        diagnoses: the diagnoses to show.
    """
    ordered = sort_by_status(tuple(diagnoses))
    # The same cell can be shown twice in a notebook, but ids of SVG elements must be unique.
    name = f"nb{uuid.uuid4().hex[:8]}"
    pictures = [picture for picture in _draw_pictures(record, ordered, name) if picture is not None]
    parts = [
        f"<p>{escape(title)}<br><strong>{escape(verdict)}</strong></p>",
        *map(_render_diagnosis, ordered),
        *map(_render_picture, pictures),
    ]
    return f'<div style="{_CELL_STYLE}">{"".join(parts)}</div>'


def _render_diagnosis(diagnosis: Diagnosis) -> str:
    """A diagnosis with its evidence in a table that the reader can open."""
    failure_type = f" ({humanize(diagnosis.kind)})" if diagnosis.kind else ""
    since = "" if diagnosis.onset is None else f" since step {diagnosis.onset}"
    head = f"{humanize(diagnosis.condition)}: {diagnosis.status}{failure_type}{since}"
    rows = "".join(_render_evidence(item) for item in diagnosis.evidence)
    table = f"<table><tr>{_EVIDENCE_HEAD}</tr>{rows}</table>"
    details = f"<details><summary>Evidence</summary>{table}</details>" if rows else ""
    return (
        f'<p><strong style="color: {_COLOURS[diagnosis.status]}">{escape(head)}</strong><br>'
        f"{escape(diagnosis.summary)}</p>{details}"
    )


def _render_evidence(item: Evidence) -> str:
    observed = format_number(item.observed)
    cells = (item.meaning, item.signal, observed, format_threshold(item), format_exceeded(item))
    return f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"


def _draw_pictures(
    record: Record, diagnoses: Sequence[Diagnosis], name: str
) -> Iterator[Picture | None]:
    """Draw evidence of present failures, then the losses and the discriminator's P(real)."""
    present = [diagnosis for diagnosis in diagnoses if diagnosis.status == "present"]
    # Reversed, so that of two failures with the same signal the earlier one is kept.
    evidence = {e.signal: (d, e) for d in reversed(present) for e in d.evidence if e.holds}
    for index, (diagnosis, item) in enumerate(list(evidence.values())[-_MAX_FIGURES:]):
        yield draw_evidence(record, diagnosis, item, f"{name}-{index}")
    onset = present[0].onset if present else None
    yield draw_losses(record, f"{name}-loss", onset)
    yield draw_confidence(record, f"{name}-confidence", onset)


def _render_picture(picture: Picture) -> str:
    caption = f"<figcaption>{escape(picture.caption)}</figcaption>"
    return f'<figure style="margin: 1rem 0">{picture.svg}{caption}</figure>'
