"""A run at Weights & Biases and what of a run of ours has been put into it."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gandiag.diagnosis import Diagnosis
from gandiag.figures import scatter_png
from gandiag.record import Record, Row, Value
from gandiag.report import Report, verdict
from gandiag.reporters.gallery import real_sheet
from gandiag.reporters.json import as_data
from gandiag.reporters.wording import DIAGNOSES, PAGE, number, plain

if TYPE_CHECKING:
    from wandb import Run

__all__ = ["Session"]

STEP = "generator_step"
BINS = 512  # most bins that wandb.Histogram takes
COLUMNS = ("condition", "measured", "signal", "observed", "relation", "threshold", "holds")
TITLE = 63  # most characters of an alert's title


class Session:
    """One run and what of it has been shown so far.

    Args:
        run: a run that has begun.
        mode: how it was begun: online, offline or disabled.
        folder: the folder of our run, where sheets and page appear.
    """

    def __init__(self, run: Run, mode: str, folder: Path) -> None:
        self.run = run
        self.mode = mode
        self.folder = folder
        self._shown: set[str] = set()
        run.define_metric(STEP, hidden=True)
        run.define_metric("*", step_metric=STEP)

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

        record = Record({}, folder=self.folder)
        real = real_sheet(record)
        sheets = [("samples/generator", step, path) for step, path in record.sheets()]
        if real is not None:
            sheets.insert(0, ("samples/real", 0, real))
        for name, step, path in sheets:
            if path.name not in self._shown:
                self._shown.add(path.name)
                picture = wandb.Image(_picture(path, real), caption=f"step {step}")
                self.run.log({STEP: step, name: picture})

    def alert(self, diagnosis: Diagnosis, step: int) -> None:
        """Raise an alert that a condition has appeared, or that it has cleared."""
        present = diagnosis.status == "present"
        cleared = f"{plain(diagnosis.condition)} has cleared at step {step}"
        title = verdict([diagnosis]) if present else cleared
        level = "WARN" if present else "INFO"
        self.run.alert(title=title[:TITLE], text=diagnosis.summary, level=level)
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
        page = self.folder / PAGE
        if page.is_file():
            artifact.add_file(str(page))
            shown = wandb.Html(page.read_text(encoding="utf-8"), inject=False)
            self.run.log({STEP: report.record.last_step, "report": shown})
        self.run.log_artifact(artifact)


def _loggable(signals: Mapping[str, Value]) -> dict[str, Any]:
    """Numbers as they are, vectors as histograms whose bars are the vector's entries."""
    import wandb

    found: dict[str, Any] = {}
    for name, value in signals.items():
        if not isinstance(value, list):
            found[name] = value
            continue
        entries = np.asarray(value, float)
        strange = int((~np.isfinite(entries)).sum())
        if strange:  # a histogram's bars are finite
            found[f"{name}/not_finite"] = strange
        bars = np.nan_to_num(entries, nan=0.0, posinf=0.0, neginf=0.0)[:BINS]
        found[name] = wandb.Histogram(np_histogram=(bars, np.arange(len(bars) + 1.0)))
    return found


def _picture(path: Path, real: Path | None) -> Any:
    """A sheet as an image: points are drawn over the real ones."""
    from PIL import Image

    if path.suffix == ".npy":
        points = np.load(path, allow_pickle=False)
        behind = np.load(real, allow_pickle=False) if real is not None else points[:0]
        data = scatter_png(points[:0] if path == real else points, behind, path.stem)
        return Image.open(io.BytesIO(data))
    return str(path)
