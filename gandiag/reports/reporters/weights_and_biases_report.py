"""Creates a Report at Weights & Biases with the parts of the page, in the page's order.

A Report (capital R) is W&B's own kind of page. The reporter needs the extra ``wandb-report``, which
is imported when a Report is created.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gandiag.plugins.errors import BadInput
from gandiag.records.storage import write_file
from gandiag.reports.report import Report
from gandiag.reports.reporters._wandb_connection import Mode, choose_mode, run_with_timeout
from gandiag.reports.reporters.weights_and_biases import WeightsAndBiases

SPEC_FILE = "wandb_report.json"
UPLOAD_HINT = "after uploading the run: gandiag report RUN --to weights_and_biases_report"


@dataclass(frozen=True)
class WeightsAndBiasesReport:
    """Creates a W&B Report on a run; without a login, a file with the Report's content."""

    # The Report, and the run that it shows, are in this project of W&B.
    project: str = "gandiag"
    # The project belongs to this user or team; None means the account of the login.
    entity: str | None = None
    # The mode is online, offline or disabled; None follows W&B's settings, offline without a key.
    mode: Mode | None = None
    # Only the file is written if the server has not answered after this many seconds.
    timeout: float = 60.0

    def publish(self, report: Report, folder: Path) -> str:
        """Create the Report; log its run first if it is not yet at W&B.

        Returns:
            The Report's URL; offline, the path of ``wandb_report.json``, the content for W&B.

        Raises:
            BadInput: the extra is not installed.
        """
        mode = choose_mode(self.mode)
        if mode == "disabled":
            return "not published: Weights & Biases is disabled"
        run_id = _find_run_id(folder) or self._log_run(report, folder, mode)
        wandb_report = self.build(report, run_id)
        spec = wandb_report._to_model().spec
        text = spec.model_dump_json(by_alias=True, exclude_none=True, indent=1)
        write_file(folder / SPEC_FILE, text + "\n")
        place = f"{folder / SPEC_FILE} (offline; {UPLOAD_HINT})"
        if mode != "online":
            return place
        try:
            return run_with_timeout(self.timeout, lambda: _save(wandb_report, self.entity))
        except Exception as error:  # such as no network: the other reports are kept
            reason = (str(error) or type(error).__name__).splitlines()[0]
            warnings.warn(f"the W&B Report was not created: {reason}", RuntimeWarning, stacklevel=2)
            return place

    def build(self, report: Report, run_id: str) -> Any:
        """Build the Report on a run at W&B; nothing is sent.

        Raises:
            BadInput: the extra is not installed.
        """
        try:
            from gandiag.reports.reporters._wandb_blocks import build_wandb_report
        except ImportError as error:
            problem = 'is not installed: pip install "gandiag[wandb-report]"'
            raise BadInput("reporters: weights_and_biases_report", problem) from error
        return build_wandb_report(report, run_id, self.project, self.entity or "")

    def _log_run(self, report: Report, folder: Path, mode: Mode) -> str:
        """Log the run and return its id."""
        WeightsAndBiases(self.project, self.entity, mode).publish(report, folder)
        return _find_run_id(folder) or ""


def _find_run_id(folder: Path) -> str | None:
    """The id of the newest W&B run in a run's folder; None without one."""
    # W&B names its folders run-DATE_TIME-ID and offline-run-DATE_TIME-ID.
    pattern = re.compile(r"(?:offline-)?run-(\d{8}_\d{6})-(.+)")
    matches = [pattern.fullmatch(path.name) for path in (folder / "wandb").glob("*run-*")]
    runs = sorted((match[1], match[2]) for match in matches if match)
    return runs[-1][1] if runs else None


def _save(wandb_report: Any, entity: str | None) -> str:
    """Send the Report to W&B and return its URL."""
    import wandb

    # The account of the login comes from the server, so `build` cannot fill it in offline.
    wandb_report.entity = entity or wandb.Api().default_entity
    wandb_report.save()
    return str(wandb_report.url)
