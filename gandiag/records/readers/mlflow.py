"""Reads runs that MLflow keeps in files: a folder `mlruns`, or the folder of one of its runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gandiag.plugins.errors import BadInput
from gandiag.records.readers._table import build_series_record
from gandiag.records.readers._text import read_text
from gandiag.records.record import Record

MAX_NAMED = 5  # most runs that a message names


@dataclass(frozen=True)
class Mlflow:
    """A run of MLflow in files: the folder of the run, or a folder above one such run.

    Each metric is a file with lines of time, value and step. A name with a slash is in subfolders.
    """

    # The folder of a run with the files of its metrics.
    metrics: str = "metrics"

    def recognises(self, path: Path) -> bool:
        """Whether the path is a folder with metrics of MLflow, at most three levels deep."""
        return path.is_dir() and bool(self._find_runs(path))

    def read(self, path: Path, columns: Mapping[str, str]) -> Record:
        """Read all metrics of the run; each metric has its own steps."""
        runs = self._find_runs(path)
        if len(runs) > 1:
            several = ", ".join(str(run.relative_to(path)) for run in runs[:MAX_NAMED])
            raise BadInput(str(path), f"holds {len(runs)} runs; choose one, such as {several}")
        folder = runs[0] / self.metrics
        files = sorted(file for file in folder.rglob("*") if file.is_file())
        tags = {str(file.relative_to(folder)): _read_metric(file) for file in files}
        tags = {name: series for name, series in tags.items() if series[0]}
        if not tags:
            raise BadInput(str(path), "the run has no metrics")
        return build_series_record(tags, path, "mlflow", columns)

    def _find_runs(self, path: Path) -> list[Path]:
        """Folders of runs, which have metrics beside `meta.yaml`: mlruns/EXPERIMENT/RUN."""
        found = (
            run.parent for depth in ("", "*/", "*/*/") for run in path.glob(f"{depth}meta.yaml")
        )
        return sorted({run for run in found if (run / self.metrics).is_dir()})


def _read_metric(file: Path) -> tuple[list[int], list[float]]:
    """Steps and values of one metric, in the order in which they were logged.

    Raises:
        BadInput: a line is not a time, a value and a step. An incomplete last line is left out.
    """
    steps: list[int] = []
    values: list[float] = []
    lines = read_text(file).splitlines()
    for number, line in enumerate(lines, start=1):
        try:
            _, value, step = line.split()[:3]
            pair = int(step[:18]), float(value)
        except ValueError as error:
            if number == len(lines):
                break
            problem = "not a time, a value and a step"
            raise BadInput(f"{file}:{number}", problem) from error
        steps.append(pair[0])
        values.append(pair[1])
    return steps, values
