"""Writes the signals, sample grids, alerts and report of a run to an open run of W&B."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gandiag.diagnosis.diagnosis import Diagnosis, humanize
from gandiag.monitoring.signals import EFFECTIVE_MODES, ENERGY_DISTANCE
from gandiag.records.own_output import UNCHARTED
from gandiag.records.record import Row
from gandiag.records.storage import Value, format_json
from gandiag.reports.formatting import DIAGNOSES_FILE, PAGE_FILE, format_number
from gandiag.reports.grid_pictures import read_new_grids
from gandiag.reports.report import Report, format_verdict
from gandiag.reports.reporters._rows import MAX_BARS, convert_for_logging, encode_uncharted
from gandiag.reports.reporters.html import render_page
from gandiag.reports.reporters.json import report_as_json

if TYPE_CHECKING:
    from wandb import Run


STEP = "generator_step"  # name of the x axis of all charts
COLUMNS = ("condition", "measured", "signal", "observed", "relation", "threshold", "exceeded")
MAX_ALERT_TITLE = 63  # characters; the limit of W&B is 64
ALERT_PAUSE = 600  # seconds before the same alert is sent again, if a condition comes and goes
NOT_FINITE = "not_finite/all"  # number of NaN and infinite numbers of a row
#: Values that W&B's run table shows of a signal; by default it shows only the last one.
SUMMARIES = {
    EFFECTIVE_MODES: "min,last",
    ENERGY_DISTANCE: "min,last",
    "gradient/norm/*": "max,last",
    NOT_FINITE: "max",
}


class WandbRun:
    """An open run of W&B, with the names of the sample grids that it has already.

    Args:
        run: a run of W&B that has begun.
        mode: mode of the run: online, offline or disabled.
        folder: gandiag's folder of the run, with sample grids and page; None for a run in memory.
    """

    def __init__(self, run: Run, mode: str, folder: Path | None) -> None:
        self.run = run
        self.mode = mode
        self.folder = folder
        self._logged_grids: set[str] = set()
        run.define_metric(STEP, hidden=True)
        # W&B's own step counts the calls of `log`, of which a generator step can have several.
        run.define_metric("*", step_metric=STEP)
        for name, kept in SUMMARIES.items():
            run.define_metric(name, step_metric=STEP, summary=kept)

    @property
    def address(self) -> str:
        """The run's URL; for an offline run, its folder and the command to upload it."""
        if self.mode == "disabled":
            return "not published: Weights & Biases is disabled"
        if self.mode == "online":
            return str(self.run.url)
        place = Path(self.run.dir).parent
        return f"{place} (offline; to upload it: wandb sync {place})"

    def log_rows(self, rows: Sequence[Row]) -> None:
        """Log rows: numbers unchanged, vectors of shares as histograms."""
        for row in rows:
            text = encode_uncharted(row)
            uncharted = {} if text is None else {UNCHARTED: text}
            self.run.log({STEP: row.step, **_convert(row.signals), **uncharted})

    def log_sample_grids(self) -> None:
        """Log the sample grids that have appeared on disk since the last call."""
        import wandb
        from PIL import Image

        for name, step, png, *_ in read_new_grids(self.folder, self._logged_grids):
            picture = wandb.Image(Image.open(io.BytesIO(png)), caption=f"step {step}")
            self.run.log({STEP: step, name: picture})

    def alert(self, diagnosis: Diagnosis, step: int) -> None:
        """Send an alert that a failure was detected, or that it is no longer present."""
        is_present = diagnosis.status == "present"
        gone = f"{humanize(diagnosis.condition)} is no longer present at step {step}"
        title = format_verdict([diagnosis]) if is_present else gone
        level = "WARN" if is_present else "INFO"
        self.run.alert(title[:MAX_ALERT_TITLE], diagnosis.summary, level, ALERT_PAUSE)
        self.run.log({STEP: step, f"diagnosis/{diagnosis.condition}": int(is_present)})

    def publish(self, report: Report) -> None:
        """Write verdict and diagnoses to the summary, and log evidence, page and diagnoses."""
        self.log_sample_grids()
        self.run.summary.update({"verdict": format_verdict(report.diagnoses)})
        for diagnosis in report.diagnoses:
            data = diagnosis.as_json()
            keys = ("status", "kind", "onset", "cause", "severity", "summary")
            name = diagnosis.condition
            self.run.summary.update({f"diagnosis/{name}/{key}": data[key] for key in keys})
        config = {"environment": report.record.environment, "facts": report.record.facts}
        # A continued run has these entries already, perhaps of another machine or version.
        self.run.config.update(config, allow_val_change=True)  # type: ignore[no-untyped-call]
        self._log_evidence(report)
        self._add_files(report)

    def finish(self) -> None:
        """End the run; data that could not be uploaded stay on disk."""
        self.run.finish()

    def _log_evidence(self, report: Report) -> None:
        import wandb

        table = wandb.Table(columns=list(COLUMNS))
        for diagnosis in report.diagnoses:
            for item in diagnosis.evidence:
                # Numbers as text with three digits, as on the page: NaN and infinity are readable.
                observed, threshold = format_number(item.observed), format_number(item.threshold)
                measured = (diagnosis.condition, item.meaning, item.signal, observed)
                table.add_data(*measured, item.relation, threshold, item.holds)
        self.run.log({STEP: report.record.last_step, "evidence": table})

    def _add_files(self, report: Report) -> None:
        import wandb

        name = re.sub(r"[^A-Za-z0-9_.-]+", "-", report.title)[:100]  # W&B allows up to 128
        artifact = wandb.Artifact(f"{name}-report", type="report")
        with artifact.new_file(DIAGNOSES_FILE, encoding="utf-8") as file:
            file.write(format_json(report_as_json(report)))
        page = None if self.folder is None else self.folder / PAGE_FILE
        text = page.read_text(encoding="utf-8") if page and page.is_file() else render_page(report)
        with artifact.new_file(PAGE_FILE, encoding="utf-8") as file:
            file.write(text)
        # Without `inject`, W&B adds no styles of its own to the page.
        self.run.log({STEP: report.record.last_step, "report": wandb.Html(text, inject=False)})
        self.run.log_artifact(artifact)


def _convert(signals: Mapping[str, Value]) -> dict[str, Any]:
    """Numbers unchanged, vectors as histograms; `NOT_FINITE` counts what W&B's charts leave out."""
    import wandb

    found: dict[str, Any] = {}
    not_finite = 0
    for name, value in convert_for_logging(signals):
        if isinstance(value, float):
            found[name] = value
            not_finite += not math.isfinite(value)
        else:
            bars = value[:MAX_BARS]
            found[name] = wandb.Histogram(np_histogram=(bars, np.arange(len(bars) + 1.0)))
    return {**found, NOT_FINITE: not_finite}
