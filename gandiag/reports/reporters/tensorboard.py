"""A run for TensorBoard: its signals while it happens, and the report at its end.

The event files lie below the run's folder: ``tensorboard --logdir RUN``. Needs the extra
``tensorboard``, which is imported when a run begins, not before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from gandiag.diagnosis.diagnosis import Diagnosis
from gandiag.records.record import Row
from gandiag.reports.report import Report
from gandiag.reports.reporters._rows import rows_of
from gandiag.reports.reporters._tensorboard_events import Events
from gandiag.scenario.schema import Scenario


class _Live:
    """The event file that is open, if any: what changes while the options do not."""

    events: Events | None = None


@dataclass(frozen=True)
class TensorBoard:
    """Writes event files: signals, sample sheets, alerts, the settings and the diagnoses."""

    subfolder: str = "tensorboard"  # of the run's folder; an earlier run's event file is replaced

    @cached_property
    def _live(self) -> _Live:  # not a field: it is no option, and equality is that of the options
        return _Live()

    def begin(self, scenario: Scenario | None, folder: Path | None) -> None:
        """Begin an event file, with the scenario's settings as hyperparameters."""
        self._live.events = self._open(folder or Path(), scenario, folder)

    def follow(self, rows: Sequence[Row], step: int) -> None:
        """Write new rows and sheets."""
        if self._live.events is not None:
            self._live.events.write(rows)
            self._live.events.write_sheets()

    def alert(self, diagnosis: Diagnosis, step: int) -> None:
        """Write what has appeared or cleared as a text, and as a curve that is 0 or 1."""
        if self._live.events is not None:
            self._live.events.alert(diagnosis, step)

    def end(self) -> None:
        """Close the file."""
        events, self._live.events = self._live.events, None
        if events is not None:
            events.close()

    def publish(self, report: Report, folder: Path) -> str:
        """Add the report to the open file, or write that of a saved record anew.

        Returns:
            The folder to start TensorBoard on.
        """
        events = self._live.events
        if events is not None:
            events.publish(report)
            return str(events.folder)
        events = self._open(folder, report.scenario, report.record.folder)
        try:
            events.write(list(rows_of(report.record)))
            events.publish(report)
            return str(events.folder)
        finally:
            events.close()

    def _open(self, folder: Path, scenario: Scenario | None, run: Path | None) -> Events:
        return Events(folder / self.subfolder, scenario.as_data() if scenario else {}, run)
