"""Writes a report as a Markdown file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gandiag.reports.report import Report, format_verdict


@dataclass(frozen=True)
class Markdown:
    """Writes ``report.md``: the verdict, one line for each condition, and suggested fixes."""

    # Level of the heading, from 1 to 6.
    level: int = 1

    def publish(self, report: Report, folder: Path) -> str:
        """Write the file and return its path."""
        heading = f"{'#' * self.level} {report.title}"
        lines = [heading, "", format_verdict(report.diagnoses), ""]
        lines += [f"- {d.condition}: {d.status}. {d.summary}" for d in report.diagnoses]
        lines += [f"- try {fix.fix}: {fix.advice}" for fix in report.suggested_fixes]
        path = folder / "report.md"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return str(path)
