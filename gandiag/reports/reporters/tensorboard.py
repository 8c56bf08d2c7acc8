"""Logs a run to TensorBoard: its signals during the run, and the report at the end.

The event file is in a subfolder of the run's folder; show it with ``tensorboard --logdir RUN``. The
reporter needs the extra ``tensorboard``, which is imported when a run begins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from gandiag.diagnosis.diagnosis import Diagnosis
from gandiag.records.record import Row
from gandiag.reports.report import Report
from gandiag.reports.reporters._tensorboard_events import EventFile
from gandiag.scenario.schema import Scenario


class _RunState:
    """The open event file, if any. It changes, while a reporter's options are frozen."""

    events: EventFile | None = None


@dataclass(frozen=True)
class TensorBoard:
    """Writes a TensorBoard event file: signals, sample grids, alerts, settings and diagnoses."""

    # The event file is written to this subfolder of the run's folder and replaces an earlier one.
    subfolder: str = "tensorboard"

    @cached_property
    def _state(self) -> _RunState:  # not a field: fields are options and decide equality
        return _RunState()

    def begin(self, scenario: Scenario | None, folder: Path | None) -> None:
        """Begin an event file, with the scenario's settings as hyperparameters."""
        self._state.events = self._open(folder or Path(), scenario, folder)

    def follow(self, rows: Sequence[Row], step: int) -> None:
        """Write new rows and sample grids."""
        if self._state.events is not None:
            self._state.events.write_rows(rows)
            self._state.events.write_sample_grids()

    def alert(self, diagnosis: Diagnosis, step: int) -> None:
        """Write as a text and as a curve of 0 and 1 whether the failure is present."""
        if self._state.events is not None:
            self._state.events.alert(diagnosis, step)

    def end(self) -> None:
        """Close the file."""
        # Cleared first: if `close` fails, a later report still begins a file of its own.
        events, self._state.events = self._state.events, None
        if events is not None:
            events.close()

    def publish(self, report: Report, folder: Path) -> str:
        """Add the report to the open file, or write a new file for a saved record.

        Returns:
            The folder for ``tensorboard --logdir``.
        """
        events = self._state.events
        if events is not None:
            events.publish(report)
            return str(events.folder)
        events = self._open(folder, report.scenario, report.record.folder)
        try:
            events.write_rows(list(report.record.rows()))
            events.publish(report)
            return str(events.folder)
        finally:
            events.close()

    def _open(self, folder: Path, scenario: Scenario | None, run_folder: Path | None) -> EventFile:
        settings = scenario.as_data() if scenario else {}
        return EventFile(folder / self.subfolder, settings, run_folder)
