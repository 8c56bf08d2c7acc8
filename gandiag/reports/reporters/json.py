"""The diagnoses as a file that a script can read."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gandiag.diagnosis.diagnosis import Diagnosis
from gandiag.records.storage import write_json_file
from gandiag.reports.formatting import DIAGNOSES_FILE
from gandiag.reports.report import Report, format_verdict


@dataclass(frozen=True)
class Json:
    """Writes ``diagnoses.json``: verdict, diagnoses with their evidence, and treatments."""

    def publish(self, report: Report, folder: Path) -> str:
        """Write the file whole and return its path."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / DIAGNOSES_FILE
        write_json_file(path, as_data(report))
        return str(path)


def as_data(report: Report) -> dict[str, Any]:
    """A report as plain data; `Diagnosis.from_json` reads each of its diagnoses back."""
    return {
        "title": report.title,
        "verdict": format_verdict(report.diagnoses),
        "diagnoses": [_plain(diagnosis) for diagnosis in report.diagnoses],
        "unexpected": [
            {"condition": condition, "expected": expected, "found": found}
            for condition, expected, found in report.unexpected
        ],
        "treatments": [dataclasses.asdict(treatment) for treatment in report.suggested_fixes],
    }


def _plain(diagnosis: Diagnosis) -> dict[str, Any]:
    """As `Diagnosis.as_json`, with no severity where it came out non-finite: JSON has no NaN."""
    data = diagnosis.as_json()
    known = diagnosis.severity is not None and math.isfinite(diagnosis.severity)
    return {**data, "severity": diagnosis.severity if known else None}
