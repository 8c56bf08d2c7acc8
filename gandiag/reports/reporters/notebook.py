"""Shows a run below its notebook cell: charts during the run, and the report at the end.

It needs only IPython, which every notebook has. IPython is imported when a run begins.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from pydantic import PositiveFloat

from gandiag.diagnosis.diagnosis import Diagnosis
from gandiag.plugins.errors import BadInput
from gandiag.records.record import Record, Row, SignalBuffer
from gandiag.reports.html_repr import render_run
from gandiag.reports.report import Report, format_verdict
from gandiag.scenario.schema import Scenario

#: Least time between two drawings, in durations of a drawing: drawing takes at most 1/20 of a run.
MIN_PAUSE = 20.0


@dataclass
class _Cell:
    """The output below the cell of a run."""

    title: str = ""
    step: int = 0
    signals: SignalBuffer = field(default_factory=SignalBuffer)
    diagnoses: dict[str, Diagnosis] = field(default_factory=dict)  # newest by condition
    display_id: str = ""  # of the output that each drawing replaces; empty before the first one
    next_time: float = 0.0  # of a drawing, in seconds of the monotonic clock


class _RunState:
    """The output of the current run. It changes, while a reporter's options are frozen."""

    cell: _Cell = _Cell()


@dataclass(frozen=True)
class Notebook:
    """Shows verdict and charts in a notebook, and updates them during the run."""

    # The charts are updated at most once in this many seconds.
    seconds: PositiveFloat = 5.0

    @cached_property
    def _state(self) -> _RunState:  # not a field: fields are options and decide equality
        return _RunState()

    def begin(self, scenario: Scenario | None, folder: Path | None) -> None:
        """Show that the run has begun.

        Raises:
            BadInput: the program does not run in a notebook.
        """
        title = scenario.name if scenario else folder.name if folder else "attached loop"
        self._state.cell = _Cell(title)
        self._draw()

    def follow(self, rows: Sequence[Row], step: int) -> None:
        """Keep new rows, and draw them if the last drawing is old enough."""
        self._state.cell.step = step
        for row in rows:
            self._state.cell.signals.add(row)
        if time.monotonic() >= self._state.cell.next_time:
            self._draw()

    def alert(self, diagnosis: Diagnosis, step: int) -> None:
        """Show at once that a failure was detected or is no longer present."""
        self._state.cell.step = step
        self._state.cell.diagnoses[diagnosis.condition] = diagnosis
        self._draw()

    def end(self) -> None:
        """Leave the last drawing; the report replaces it."""

    def publish(self, report: Report, folder: Path) -> str:
        """Show the report in place of the charts of the run; return "the notebook"."""
        has_answer = bool(report.diagnoses)
        verdict = format_verdict(report.diagnoses) if has_answer else "no detector was run"
        self._show(render_run(report.title, verdict, report.record, report.diagnoses), verdict)
        return "the notebook"

    def _draw(self) -> None:
        cell, began = self._state.cell, time.monotonic()
        diagnoses = list(cell.diagnoses.values())
        verdict = format_verdict(diagnoses) if diagnoses else "no failure detected so far"
        title = f"{cell.title}, step {cell.step}"
        html = render_run(title, verdict, Record(cell.signals.signals()), diagnoses)
        self._show(html, f"{title}: {verdict}")
        cell.next_time = began + max(self.seconds, MIN_PAUSE * (time.monotonic() - began))

    def _show(self, html: str, text: str) -> None:
        """Show HTML below the cell in place of the last one; `text` is for viewers without HTML."""
        try:
            from IPython import get_ipython
            from IPython.display import display
        except ImportError:
            shell = None
        else:
            shell = get_ipython()
        if shell is None:
            raise BadInput("notebook", "not running in a notebook; use the reporter `console`")
        cell = self._state.cell
        content = {"text/html": html, "text/plain": text}
        is_update = bool(cell.display_id)
        cell.display_id = cell.display_id or uuid.uuid4().hex
        # Raw, as the content already has a text for each MIME type.
        display(  # type: ignore[no-untyped-call]
            content, raw=True, display_id=cell.display_id, update=is_update
        )
