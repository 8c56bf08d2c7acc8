"""A run in a notebook: charts that grow below the cell that plays it, and the report at its end.

Needs nothing but the notebook's own IPython, which is imported when a run begins, not before.
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
from gandiag.records.record import Columns, Record, Row
from gandiag.reports.html_repr import run_as_html
from gandiag.reports.report import Report, verdict
from gandiag.scenario.schema import Scenario

REST = 20.0  # times as long as a drawing took, before the next: at most a twentieth of the run


@dataclass
class _Cell:
    """What is shown below a cell."""

    title: str = ""
    step: int = 0
    columns: Columns = field(default_factory=Columns)
    found: dict[str, Diagnosis] = field(default_factory=dict)
    display: str = ""  # id of the output that is drawn anew; empty before the first time
    next_time: float = 0.0  # on the monotonic clock


class _Live:
    """The cell of the run that goes on: what changes while the options do not."""

    cell: _Cell = _Cell()


@dataclass(frozen=True)
class Notebook:
    """Shows verdict and charts in a notebook, drawn anew while the run goes on."""

    seconds: PositiveFloat = 5.0  # between two drawings, at least

    @cached_property
    def _live(self) -> _Live:  # not a field: it is no option, and equality is that of the options
        return _Live()

    def begin(self, scenario: Scenario | None, folder: Path | None) -> None:
        """Show that the run has begun.

        Raises:
            BadInput: this is no notebook.
        """
        title = scenario.name if scenario else folder.name if folder else "a watch"
        self._live.cell = _Cell(title)
        self._draw()

    def follow(self, rows: Sequence[Row], step: int) -> None:
        """Keep new rows, and draw them if it is time."""
        self._live.cell.step = step
        for row in rows:
            self._live.cell.columns.add(row)
        if time.monotonic() >= self._live.cell.next_time:
            self._draw()

    def alert(self, diagnosis: Diagnosis, step: int) -> None:
        """Show at once what has appeared or cleared."""
        self._live.cell.step = step
        self._live.cell.found[diagnosis.condition] = diagnosis
        self._draw()

    def end(self) -> None:
        """Leave what is shown last."""

    def publish(self, report: Report, folder: Path) -> str:
        """Show the report, in place of the charts that grew; return where it is."""
        said = verdict(report.diagnoses) if report.diagnoses else "nothing was asked"
        self._show(run_as_html(report.title, said, report.record, report.diagnoses), said)
        return "the notebook"

    def _draw(self) -> None:
        cell, began = self._live.cell, time.monotonic()
        found = list(cell.found.values())
        said = verdict(found) if found else "nothing found so far"
        title = f"{cell.title}, step {cell.step}"
        self._show(
            run_as_html(title, said, Record(cell.columns.signals()), found), f"{title}: {said}"
        )
        cell.next_time = began + max(self.seconds, REST * (time.monotonic() - began))

    def _show(self, text: str, plain: str) -> None:
        """Put a piece of a page below the cell, in place of the one before."""
        try:
            from IPython import get_ipython
            from IPython.display import display
        except ImportError:
            shell = None
        else:
            shell = get_ipython()
        if shell is None:
            raise BadInput("notebook", "this is none; the reporter `console` is for a terminal")
        cell, shown = self._live.cell, {"text/html": text, "text/plain": plain}
        known = {"display_id": cell.display or uuid.uuid4().hex, "update": bool(cell.display)}
        display(shown, raw=True, **known)  # type: ignore[no-untyped-call]
        cell.display = str(known["display_id"])
