"""A board of charts for one run, or for several beside each other, that grows while they do."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from gandiag.diagnosis.diagnosis import Diagnosis
from gandiag.plugins.errors import BadInput
from gandiag.records.record import Record
from gandiag.reports.page.gallery import real_sheet
from gandiag.reports.saved_runs import diagnose
from gandiag.reports.server.charts import Chart, charts_of, fill, frame
from gandiag.reports.server.headers import RunState, head_of, unknown
from gandiag.reports.server.runs import look_at, run_in
from gandiag.reports.server.style import style
from gandiag.reports.server.tail import RecordTail
from gandiag.reports.templates import text_of

if TYPE_CHECKING:
    from bokeh.document import Document
    from bokeh.models import LayoutDOM


EVERY = 2000  # milliseconds between two looks
REST = 5.0  # times as long as a diagnosis took, before the next: others want the server too
MOST = 8  # runs beside each other; there are no more colours that can be told apart


@dataclass
class DashboardRun:
    """A run on the board, and what is known of it."""

    name: str
    growing: RecordTail
    record: Record = field(default_factory=lambda: Record({}))
    diagnoses: tuple[Diagnosis, ...] = ()
    problem: str = ""
    next_question: float = 0.0  # when its detectors may be asked again, on the monotonic clock
    unasked: bool = False  # whether there is something that they have not seen

    def look(self) -> bool:
        """Read on, and ask the detectors; return whether anything is new."""
        try:
            grown = self.growing.look()
            self.problem = ""
            if grown:
                self.record, self.unasked = self.growing.record, True
            began = time.monotonic()
            if not self.unasked or began < self.next_question:
                return grown
            self.diagnoses, self.unasked = diagnose(self.record), False
            self.next_question = began + REST * (time.monotonic() - began)
        except (BadInput, OSError) as error:
            news = str(error) != self.problem
            self.problem = str(error)
            return news
        return True


class Dashboard:
    """What somebody sees who looks at runs; renewed by `look`.

    Args:
        folder: where the runs are.
        names: which runs.

    Raises:
        BadInput: there is no run of such a name, none was named, or too many were.
    """

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        from bokeh.layouts import column
        from bokeh.models import Div

        names = list(dict.fromkeys(names))
        if not 0 < len(names) <= MOST:
            raise BadInput("board", f"choose one to {MOST} runs")
        self.runs = [DashboardRun(name, RecordTail(run_in(folder, name))) for name in names]
        self._folder = folder
        self._charts: tuple[Chart, ...] = ()
        self._drawn: list[tuple[Chart, LayoutDOM]] = []
        self._head = Div(sizing_mode="stretch_width", stylesheets=[style()])
        self._body = column(sizing_mode="stretch_width")
        self.root = column(self._head, self._body, sizing_mode="stretch_width")
        self.look()

    def look(self) -> None:
        """Read what is new of each run, and show it."""
        news = [run.look() for run in self.runs]
        if any(news):
            self._draw()
        self._head.text = head_of([self._standing(run) for run in self.runs])

    def _standing(self, run: DashboardRun) -> RunState:
        """How a run stands now; its sheets are on disk before it is read to their step."""
        folder = self._folder / run.name
        sheets = Record({}, folder=folder).sample_grids()
        return RunState(
            look_at(self._folder, folder, time.time()),
            run.diagnoses,
            run.problem,
            real_sheet(Record({}, folder=folder)) is not None,
            sheets[-1][0] if sheets else None,
        )

    def _draw(self) -> None:
        """Fill the charts; make them anew where there are others than before."""
        records = [(run.name, run.record) for run in self.runs]
        charts = charts_of(records)
        others = charts != self._charts
        if others:
            self._charts = charts
            self._drawn = [(chart, frame(chart)) for chart in charts]
        onset = min((d.onset for d in self.runs[0].diagnoses if d.onset is not None), default=None)
        for chart, plot in self._drawn:
            fill(plot, chart, dict(records), onset if len(self.runs) == 1 else None)
        if others:  # a browser complains of a chart that comes empty
            self._body.children = [plot for _, plot in self._drawn]


def open_board(folder: Path, names: Sequence[str], document: Document) -> None:
    """Put a board into a document, to be renewed as long as somebody looks."""
    from bokeh.models import Div

    document.title = ", ".join(names) or "gandiag"
    document.template = text_of("gandiag.reports.server", "board.html.j2")
    document.template_variables["style"] = style()
    try:
        board = Dashboard(folder, names)
    except (BadInput, OSError) as error:
        document.add_root(Div(text=unknown(str(error)), stylesheets=[style()]))
        return
    document.add_root(board.root)
    document.add_periodic_callback(board.look, EVERY)
