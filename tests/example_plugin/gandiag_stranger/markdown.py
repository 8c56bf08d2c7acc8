"""The report as a page of Markdown."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gandiag.reports.report import Report, verdict

__all__ = ["Markdown"]


@dataclass(frozen=True)
class Markdown:
    """Writes ``report.md``: the verdict, one line a condition, and what may help."""

    level: int = 1  # of the heading

    def publish(self, report: Report, folder: Path) -> str:
        """Write the page and return its path."""
        lines = [f"{'#' * self.level} {report.title}", "", verdict(report.diagnoses), ""]
        lines += [f"- {d.condition}: {d.status}. {d.summary}" for d in report.diagnoses]
        lines += [f"- try {t.fix}: {t.advice}" for t in report.suggested_fixes]
        path = folder / "report.md"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return str(path)
