"""A run at Weights & Biases and what of a run of ours has been put into it."""

from __future__ import annotations

import io
import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gandiag.diagnosis.diagnosis import Diagnosis
from gandiag.monitoring.signals import EFFECTIVE_MODES, ENERGY_DISTANCE
from gandiag.records.record import Row, Value
from gandiag.reports.formatting import DIAGNOSES, PAGE, number, plain
from gandiag.reports.pictures import new_pictures
from gandiag.reports.report import Report, verdict
from gandiag.reports.reporters._rows import loggable
from gandiag.reports.reporters.html import render
from gandiag.reports.reporters.json import as_data

if TYPE_CHECKING:
    from wandb import Run


STEP = "generator_step"
BINS = 512  # most bins that wandb.Histogram takes
COLUMNS = ("condition", "measured", "signal", "observed", "relation", "threshold", "holds")
TITLE = 63  # most characters of an alert's title
WAIT = 600  # seconds until an alert of the same title is sent again, where a condition flickers
STRANGE = "not_finite/all"  # how many numbers of a row were NaN or infinite
SUMMARIES = {
    EFFECTIVE_MODES: "min,last",
    ENERGY_DISTANCE: "min,last",
    "gradient/norm/*": "max,last",
    STRANGE: "max",
}


class Session:
    """One run and what of it has been shown so far.

    Args:
        run: a run that has begun.
        mode: how it was begun: online, offline or disabled.
        folder: the folder of our run, where sheets and page appear; None for one in memory.
    """

    def __init__(self, run: Run, mode: str, folder: Path | None) -> None:
        self.run = run
        self.mode = mode
        self.folder = folder
        self._shown: set[str] = set()
        run.define_metric(STEP, hidden=True)
        run.define_metric("*", step_metric=STEP)
        for name, kept in SUMMARIES.items():  # else the summary holds the newest number
            run.define_metric(name, step_metric=STEP, summary=kept)

    @property
    def address(self) -> str:
        """Where to look: a URL, or a folder and how to upload it."""
        if self.mode == "disabled":
            return "nowhere: Weights & Biases is disabled"
        if self.mode == "online":
            return str(self.run.url)
        place = Path(self.run.dir).parent
        return f"{place} (offline; to upload it: wandb sync {place})"

    def log(self, rows: Sequence[Row]) -> None:
        """Log rows: numbers as they are, vectors as histograms."""
        for row in rows:
            self.run.log({STEP: row.step, **_loggable(row.signals)})

    def log_sheets(self) -> None:
        """Log sample sheets that have appeared on disk since the last time."""
        import wandb
        from PIL import Image

        for name, step, png, *_ in new_pictures(self.folder, self._shown):
            picture = wandb.Image(Image.open(io.BytesIO(png)), caption=f"step {step}")
            self.run.log({STEP: step, name: picture})

    def alert(self, diagnosis: Diagnosis, step: int) -> None:
        """Raise an alert that a condition has appeared, or that it has cleared."""
        present = diagnosis.status == "present"
        cleared = f"{plain(diagnosis.condition)} has cleared at step {step}"
        title = verdict([diagnosis]) if present else cleared
        level = "WARN" if present else "INFO"
        self.run.alert(title[:TITLE], diagnosis.summary, level, WAIT)
        self.run.log({STEP: step, f"diagnosis/{diagnosis.condition}": int(present)})

    def publish(self, report: Report) -> None:
        """Write the verdict into the summary, and add evidence, page and diagnoses."""
        self.log_sheets()
        self.run.summary.update({"verdict": verdict(report.diagnoses)})
        for diagnosis in report.diagnoses:
            said = diagnosis.as_json()
            keys = ("status", "kind", "onset", "cause", "severity", "summary")
            name = diagnosis.condition
            self.run.summary.update({f"diagnosis/{name}/{key}": said[key] for key in keys})
        about = {"environment": report.record.environment, "facts": report.record.facts}
        self.run.config.update(about, allow_val_change=True)  # type: ignore[no-untyped-call]
        self._log_evidence(report)
        self._add_files(report)

    def finish(self) -> None:
        """End the run; what could not be uploaded stays on disk."""
        self.run.finish()

    def _log_evidence(self, report: Report) -> None:
        import wandb

        table = wandb.Table(columns=list(COLUMNS))
        for diagnosis in report.diagnoses:
            for item in diagnosis.evidence:
                seen, gate = number(item.observed), number(item.threshold)
                told = (diagnosis.condition, item.meaning, item.signal, seen, item.relation, gate)
                table.add_data(*told, item.holds)
        self.run.log({STEP: report.record.last_step, "evidence": table})

    def _add_files(self, report: Report) -> None:
        import wandb

        name = re.sub(r"[^A-Za-z0-9_.-]+", "-", report.title)[:100]
        artifact = wandb.Artifact(f"{name}-report", type="report")
        with artifact.new_file(DIAGNOSES, encoding="utf-8") as file:
            json.dump(as_data(report), file, indent=2, allow_nan=False)
        page = None if self.folder is None else self.folder / PAGE
        text = page.read_text(encoding="utf-8") if page and page.is_file() else render(report)
        with artifact.new_file(PAGE, encoding="utf-8") as file:
            file.write(text)
        self.run.log({STEP: report.record.last_step, "report": wandb.Html(text, inject=False)})
        self.run.log_artifact(artifact)


def _loggable(signals: Mapping[str, Value]) -> dict[str, Any]:
    """Numbers as they are, vectors of shares as histograms; W&B's charts leave NaN out: counted."""
    import wandb

    found: dict[str, Any] = {}
    strange = 0
    for name, value in loggable(signals):
        if isinstance(value, float):
            found[name] = value
            strange += not math.isfinite(value)
        else:
            bars = value[:BINS]
            found[name] = wandb.Histogram(np_histogram=(bars, np.arange(len(bars) + 1.0)))
    return {**found, STRANGE: strange}
