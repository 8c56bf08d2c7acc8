"""A run at Weights & Biases: followed while it happens, with the report at its end.

Works offline and without an account; nothing is ever asked for. wandb is imported when a run
begins, not before.
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
from gandiag.reports.reporters._wandb_connection import Mode, connect
from gandiag.reports.reporters._wandb_session import Session
from gandiag.scenario.schema import Scenario


class _Live:
    """The session that is open, if any: what changes while the options do not."""

    session: Session | None = None


@dataclass(frozen=True)
class WeightsAndBiases:
    """Logs signals, sample sheets, alerts and the report; offline where there is no login."""

    project: str = "gandiag"  # made by W&B if there is none of that name
    entity: str | None = None  # user or team; None: the login's own
    mode: Mode | None = None  # None: as W&B is set up, offline without an API key
    group: str | None = None  # shown together there, such as the seeds of a comparison
    run_id: str | None = None  # the same one goes on with a run of that id, as after a restart
    timeout: float = 20.0  # seconds to wait for the server at the beginning, then offline

    @cached_property
    def _live(self) -> _Live:  # not a field: it is no option, and equality is that of the options
        return _Live()

    def begin(self, scenario: Scenario | None, folder: Path | None) -> None:
        """Begin a run with the scenario as its config; without a folder, in the current one."""
        name = scenario.name if scenario else folder.name if folder else "attached"
        self._live.session = self._open(scenario, name, folder)

    def follow(self, rows: Sequence[Row], step: int) -> None:
        """Log new rows and sheets."""
        if self._live.session is not None:
            self._live.session.log(rows)
            self._live.session.log_sheets()

    def alert(self, diagnosis: Diagnosis, step: int) -> None:
        """Alert whoever subscribed to the project's alerts."""
        if self._live.session is not None:
            self._live.session.alert(diagnosis, step)

    def end(self) -> None:
        """End the run."""
        session, self._live.session = self._live.session, None
        if session is not None:
            session.finish()  # what it raises becomes a warning of whoever tells followers

    def publish(self, report: Report, folder: Path) -> str:
        """Add the report to the open run, or make a run of a saved record.

        Returns:
            The run's URL, or the folder of an offline run and how to upload it.
        """
        session = self._live.session
        if session is not None:
            session.publish(report)
            return session.address
        session = self._open(report.scenario, report.title, folder)
        try:
            session.log(list(rows_of(report.record)))
            session.publish(report)
            return session.address
        finally:
            session.finish()

    def _open(self, scenario: Scenario | None, name: str, folder: Path | None) -> Session:
        resumed = {} if self.run_id is None else {"id": self.run_id, "resume": "allow"}
        run, mode = connect(
            folder or Path(),
            self.mode,
            self.timeout,
            project=self.project,
            entity=self.entity,
            group=self.group,
            name=name,
            config=scenario.as_data() if scenario is not None else {},
            **resumed,
        )
        return Session(run, mode, folder)
