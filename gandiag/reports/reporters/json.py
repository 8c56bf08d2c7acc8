"""Writes the diagnoses as a JSON file for scripts."""

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
    """Writes ``diagnoses.json``: verdict, diagnoses with evidence, and suggested fixes."""

    def publish(self, report: Report, folder: Path) -> str:
        """Write the file and return its path."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / DIAGNOSES_FILE
        write_json_file(path, report_as_json(report))
        return str(path)


def report_as_json(report: Report) -> dict[str, Any]:
    """A report as plain data; `Diagnosis.from_json` restores each of its diagnoses."""
    return {
        "title": report.title,
        "verdict": format_verdict(report.diagnoses),
        "diagnoses": [_diagnosis_as_json(diagnosis) for diagnosis in report.diagnoses],
        "unexpected": [
            {"condition": condition, "expected": expected, "found": found}
            for condition, expected, found in report.unexpected
        ],
        # The key has its former name, so that existing scripts keep working.
        "treatments": [dataclasses.asdict(suggested) for suggested in report.suggested_fixes],
    }


def _diagnosis_as_json(diagnosis: Diagnosis) -> dict[str, Any]:
    """As `Diagnosis.as_json`, with null for a severity that is not finite."""
    severity = diagnosis.severity
    is_known = severity is not None and math.isfinite(severity)
    return {**diagnosis.as_json(), "severity": severity if is_known else None}
