"""A Report at Weights & Biases: the page's parts as text and panels, in the page's order.

Needs the extra ``wandb-report``, which is imported when a Report is made, not before.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gandiag.plugins.errors import BadInput
from gandiag.records.record import write_file
from gandiag.reports.report import Report
from gandiag.reports.reporters._wandb_connection import Mode, choose_mode, within
from gandiag.reports.reporters.weights_and_biases import WeightsAndBiases

FILE = "wandb_report.json"
AGAIN = "once the run is uploaded: gandiag report RUN --to weights_and_biases_report"


@dataclass(frozen=True)
class WeightsAndBiasesReport:
    """Makes a Report at W&B on a run there; without a login, a file that describes it."""

    project: str = "gandiag"  # where the run is logged, too
    entity: str | None = None  # user or team; None: the login's own
    mode: Mode | None = None  # None: as W&B is set up, offline without an API key
    timeout: float = 60.0  # seconds to wait for the server, then the file alone is kept

    def publish(self, report: Report, folder: Path) -> str:
        """Make the Report, and first the run that it is about where there is none yet.

        Returns:
            Its URL; or, offline, the file ``wandb_report.json`` with what W&B would be sent.

        Raises:
            BadInput: the extra is not installed.
        """
        mode = choose_mode(self.mode)
        if mode == "disabled":
            return "nowhere: Weights & Biases is disabled"
        made = self.made(report, _run_in(folder) or self._logged(report, folder, mode))
        spec = made._to_model().spec.model_dump_json(by_alias=True, exclude_none=True, indent=1)
        write_file(folder / FILE, spec + "\n")
        kept = f"{folder / FILE} (offline; {AGAIN})"
        if mode != "online":
            return kept
        try:
            return within(self.timeout, lambda: _saved(made, self.entity))
        except Exception as error:  # no network, a refused login: no reason to lose the rest
            reason = (str(error) or type(error).__name__).splitlines()[0]
            warnings.warn(f"no Report at Weights & Biases: {reason}", RuntimeWarning, stacklevel=2)
            return kept

    def made(self, report: Report, run_id: str) -> Any:
        """The Report on a run at W&B, of which nothing has been sent yet.

        Raises:
            BadInput: the extra is not installed.
        """
        try:
            from gandiag.reports.reporters._wandb_blocks import report_at
        except ImportError as error:
            problem = 'is not installed: pip install "gandiag[wandb-report]"'
            raise BadInput("reporters: weights_and_biases_report", problem) from error
        return report_at(report, run_id, self.project, self.entity or "")

    def _logged(self, report: Report, folder: Path, mode: Mode) -> str:
        """Log the run, and return its id."""
        WeightsAndBiases(self.project, self.entity, mode).publish(report, folder)
        return _run_in(folder) or ""


def _run_in(folder: Path) -> str | None:
    """The id of the newest run that W&B keeps in a run's folder; None where there is none."""
    kept = [re.fullmatch(r"(?:offline-)?run-(\d{8}_\d{6})-(.+)", p.name) for p in _runs(folder)]
    found = sorted((match[1], match[2]) for match in kept if match)
    return found[-1][1] if found else None


def _runs(folder: Path) -> list[Path]:
    place = folder / "wandb"
    return list(place.iterdir()) if place.is_dir() else []


def _saved(made: Any, entity: str | None) -> str:
    import wandb

    made.entity = entity or wandb.Api().default_entity
    made.save()
    return str(made.url)
