"""The live dashboard: charts, samples and diagnoses of one or several runs while they train."""

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


UPDATE_MILLISECONDS = 2000  # between two updates of an open page
# A run rests for five times as long as its last diagnosis took, so that the detectors of long runs
# take at most a sixth of the server's time.
PAUSE_FACTOR = 5.0
MAX_RUNS = 8  # side by side, one for each colour of the charts


@dataclass
class DashboardRun:
    """A run on the dashboard.

    Attributes:
        name: name of the run.
        tail: reads the rows that the run writes.
        record: all rows read so far.
        diagnoses: the newest diagnoses.
        problem: why the record cannot be read; empty if it can.
        next_diagnosis: earliest time of the next diagnosis, on the monotonic clock.
        has_new_rows: whether there are rows that no detector has seen.
    """

    name: str
    tail: RecordTail
    record: Record = field(default_factory=lambda: Record({}))
    diagnoses: tuple[Diagnosis, ...] = ()
    problem: str = ""
    next_diagnosis: float = 0.0
    has_new_rows: bool = False

    def update(self) -> bool:
        """Read new rows and run the detectors on them; return whether anything has changed."""
        try:
            has_grown = self.tail.read_new_rows()
            self.problem = ""
            if has_grown:
                self.record, self.has_new_rows = self.tail.record, True
            began = time.monotonic()
            if not self.has_new_rows or began < self.next_diagnosis:
                return has_grown
            self.diagnoses, self.has_new_rows = diagnose(self.record), False
            self.next_diagnosis = began + PAUSE_FACTOR * (time.monotonic() - began)
        except (BadInput, OSError) as error:
            is_new = str(error) != self.problem
            self.problem = str(error)
            return is_new
        return True


class Dashboard:
    """The content of a dashboard page; `update` renews it.

    Args:
        folder: the folder that is served.
        names: names of the runs to show.

    Raises:
        BadInput: there is no run of such a name, no name was given, or too many.
    """

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        from bokeh.layouts import column
        from bokeh.models import Div

        names = list(dict.fromkeys(names))
        if not 0 < len(names) <= MAX_RUNS:
            raise BadInput("dashboard", f"choose one to {MAX_RUNS} runs")
        self.runs = [DashboardRun(name, RecordTail(find_run(folder, name))) for name in names]
        self._folder = folder
        self._charts: tuple[DashboardChart, ...] = ()
        self._plots: list[tuple[DashboardChart, LayoutDOM]] = []
        self._head = Div(sizing_mode="stretch_width", stylesheets=[read_style_sheet()])
        self._body = column(sizing_mode="stretch_width")
        self.root = column(self._head, self._body, sizing_mode="stretch_width")
        self.update()

    def update(self) -> None:
        """Read the new rows of each run, and show them."""
        changes = [run.update() for run in self.runs]  # a list: every run must be updated
        if any(changes):
            self._draw()
        self._head.text = render_header([self._inspect(run) for run in self.runs])

    def _inspect(self, run: DashboardRun) -> RunState:
        folder = self._folder / run.name
        record = Record({}, folder=folder)
        grids = record.sample_grids()
        return RunState(
            summarize_run(self._folder, folder, time.time()),
            run.diagnoses,
            run.problem,
            find_real_grid(record) is not None,
            grids[-1][0] if grids else None,
        )

    def _draw(self) -> None:
        """Fill the charts; draw new ones if other signals than before are recorded."""
        records = [(run.name, run.record) for run in self.runs]
        charts = build_charts(records)
        has_new_charts = charts != self._charts
        if has_new_charts:
            self._charts = charts
            self._plots = [(chart, draw_empty_chart(chart)) for chart in charts]
        # Only for a single run: several runs have different onsets, and one line would confuse
        # them.
        onset = min((d.onset for d in self.runs[0].diagnoses if d.onset is not None), default=None)
        for chart, plot in self._plots:
            fill_chart(plot, chart, dict(records), onset if len(self.runs) == 1 else None)
        if has_new_charts:  # only now, as Bokeh in the browser warns of charts without data
            self._body.children = [plot for _, plot in self._plots]


def open_dashboard(folder: Path, names: Sequence[str], document: Document) -> None:
    """Put a dashboard into a Bokeh document, and update it as long as the page is open."""
    from bokeh.models import Div

    document.title = ", ".join(names) or "gandiag"
    document.template = read_text("gandiag.reports.server", "dashboard.html.j2")
    document.template_variables["style"] = read_style_sheet()
    try:
        dashboard = Dashboard(folder, names)
    except (BadInput, OSError) as error:
        document.add_root(Div(text=render_problem(str(error)), stylesheets=[read_style_sheet()]))
        return
    document.add_root(dashboard.root)
    document.add_periodic_callback(dashboard.update, UPDATE_MILLISECONDS)
