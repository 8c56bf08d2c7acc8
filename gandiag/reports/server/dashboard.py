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
from gandiag.reports.page.gallery import find_real_grid
from gandiag.reports.saved_runs import diagnose
from gandiag.reports.server.charts import DashboardChart, build_charts, draw_empty_chart, fill_chart
from gandiag.reports.server.headers import RunState, render_header, render_problem
from gandiag.reports.server.runs import find_run, summarize_run
from gandiag.reports.server.style import read_style_sheet
from gandiag.reports.server.tail import RecordTail
from gandiag.reports.templates import read_text

if TYPE_CHECKING:
    from bokeh.document import Document
    from bokeh.models import LayoutDOM


UPDATE_MILLISECONDS = 2000  # milliseconds between two looks
PAUSE_FACTOR = 5.0  # times as long as a diagnosis took, before the next: others want the server too
MAX_RUNS = 8  # runs beside each other; there are no more colours that can be told apart


@dataclass
class DashboardRun:
    """A run on the board, and what is known of it."""

    name: str
    tail: RecordTail
    record: Record = field(default_factory=lambda: Record({}))
    diagnoses: tuple[Diagnosis, ...] = ()
    problem: str = ""
    next_diagnosis: float = 0.0  # when its detectors may be asked again, on the monotonic clock
    has_new_rows: bool = False  # whether there is something that they have not seen

    def update(self) -> bool:
        """Read on, and ask the detectors; return whether anything is new."""
        try:
            grown = self.tail.read_new_rows()
            self.problem = ""
            if grown:
                self.record, self.has_new_rows = self.tail.record, True
            began = time.monotonic()
            if not self.has_new_rows or began < self.next_diagnosis:
                return grown
            self.diagnoses, self.has_new_rows = diagnose(self.record), False
            self.next_diagnosis = began + PAUSE_FACTOR * (time.monotonic() - began)
        except (BadInput, OSError) as error:
            news = str(error) != self.problem
            self.problem = str(error)
            return news
        return True


class Dashboard:
    """What somebody sees who looks at runs; renewed by `update`.

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
        if not 0 < len(names) <= MAX_RUNS:
            raise BadInput("board", f"choose one to {MAX_RUNS} runs")
        self.runs = [DashboardRun(name, RecordTail(find_run(folder, name))) for name in names]
        self._folder = folder
        self._charts: tuple[DashboardChart, ...] = ()
        self._drawn: list[tuple[DashboardChart, LayoutDOM]] = []
        self._head = Div(sizing_mode="stretch_width", stylesheets=[read_style_sheet()])
        self._body = column(sizing_mode="stretch_width")
        self.root = column(self._head, self._body, sizing_mode="stretch_width")
        self.update()

    def update(self) -> None:
        """Read what is new of each run, and show it."""
        news = [run.update() for run in self.runs]
        if any(news):
            self._draw()
        self._head.text = render_header([self._inspect(run) for run in self.runs])

    def _inspect(self, run: DashboardRun) -> RunState:
        """How a run stands now; its sheets are on disk before it is read to their step."""
        folder = self._folder / run.name
        sheets = Record({}, folder=folder).sample_grids()
        return RunState(
            summarize_run(self._folder, folder, time.time()),
            run.diagnoses,
            run.problem,
            find_real_grid(Record({}, folder=folder)) is not None,
            sheets[-1][0] if sheets else None,
        )

    def _draw(self) -> None:
        """Fill the charts; make them anew where there are others than before."""
        records = [(run.name, run.record) for run in self.runs]
        charts = build_charts(records)
        others = charts != self._charts
        if others:
            self._charts = charts
            self._drawn = [(chart, draw_empty_chart(chart)) for chart in charts]
        onset = min((d.onset for d in self.runs[0].diagnoses if d.onset is not None), default=None)
        for chart, plot in self._drawn:
            fill_chart(plot, chart, dict(records), onset if len(self.runs) == 1 else None)
        if others:  # a browser complains of a chart that comes empty
            self._body.children = [plot for _, plot in self._drawn]


def open_dashboard(folder: Path, names: Sequence[str], document: Document) -> None:
    """Put a board into a document, to be renewed as long as somebody looks."""
    from bokeh.models import Div

    document.title = ", ".join(names) or "gandiag"
    document.template = read_text("gandiag.reports.server", "dashboard.html.j2")
    document.template_variables["style"] = read_style_sheet()
    try:
        board = Dashboard(folder, names)
    except (BadInput, OSError) as error:
        document.add_root(Div(text=render_problem(str(error)), stylesheets=[read_style_sheet()]))
        return
    document.add_root(board.root)
    document.add_periodic_callback(board.update, UPDATE_MILLISECONDS)
