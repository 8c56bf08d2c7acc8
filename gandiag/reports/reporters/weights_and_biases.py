"""Logs a run to Weights & Biases: its signals during the run, and the report at the end.

The reporter works offline and without an account, and never prompts for input. wandb is imported
when a run begins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from gandiag.diagnosis.diagnosis import Diagnosis
from gandiag.records.record import Row
from gandiag.reports.report import Report
from gandiag.reports.reporters._wandb_connection import Mode, connect
from gandiag.reports.reporters._wandb_session import WandbRun
from gandiag.scenario.schema import Scenario


class _RunState:
    """The open run at W&B, if any. It changes, while a reporter's options are frozen."""

    run: WandbRun | None = None


@dataclass(frozen=True)
class WeightsAndBiases:
    """Logs signals, sample grids, alerts and the report to W&B; offline without a login."""

    # W&B shows the run in this project and creates the project if it does not exist.
    project: str = "gandiag"
    # The project belongs to this user or team; None means the account of the login.
    entity: str | None = None
    # The mode is online, offline or disabled; None follows W&B's settings, offline without a key.
    mode: Mode | None = None
    # W&B shows runs of one group together, such as the seeds of a comparison.
    group: str | None = None
    # A run with this id is continued if it exists, as after a restart; None begins a new run.
    run_id: str | None = None
    # The run is kept offline if the server has not answered after this many seconds.
    timeout: float = 20.0

    @cached_property
    def _state(self) -> _RunState:  # not a field: fields are options and decide equality
        return _RunState()

    def begin(self, scenario: Scenario | None, folder: Path | None) -> None:
        """Begin a run with the scenario as its config; W&B keeps its files in the run's folder."""
        name = scenario.name if scenario else folder.name if folder else "attached"
        self._state.run = self._open(scenario, name, folder)

    def follow(self, rows: Sequence[Row], step: int) -> None:
        """Log new rows and sample grids."""
        if self._state.run is not None:
            self._state.run.log_rows(rows)
            self._state.run.log_sample_grids()

    def alert(self, diagnosis: Diagnosis, step: int) -> None:
        """Send an alert to the users who subscribed to the project's alerts."""
        if self._state.run is not None:
            self._state.run.alert(diagnosis, step)

    def end(self) -> None:
        """End the run."""
        # Cleared first: if `finish` fails, a later report still begins a run of its own.
        run, self._state.run = self._state.run, None
        if run is not None:
            run.finish()  # an error here becomes a warning in the caller: the training goes on

    def publish(self, report: Report, folder: Path) -> str:
        """Add the report to the open run, or log a saved record as a new run.

        Returns:
            The run's URL; for an offline run, its folder and the command to upload it.
        """
        run = self._state.run
        if run is not None:
            run.publish(report)
            return run.address
        run = self._open(report.scenario, report.title, folder)
        try:
            run.log_rows(list(report.record.rows()))
            run.publish(report)
            return run.address
        finally:
            run.finish()

    def _open(self, scenario: Scenario | None, name: str, folder: Path | None) -> WandbRun:
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
        return WandbRun(run, mode, folder)
