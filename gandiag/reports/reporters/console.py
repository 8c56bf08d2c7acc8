"""Prints the report on a terminal: the verdict, then the evidence, then suggested fixes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gandiag.diagnosis.diagnosis import Diagnosis, humanize
from gandiag.records.record import Row
from gandiag.reports.formatting import (
    MARKS,
    PAGE_FILE,
    format_exceeded,
    format_number,
    format_threshold,
    select_shown,
    sort_by_status,
    summarize_loop_checks,
)
from gandiag.reports.report import Report, format_verdict
from gandiag.reports.report_text import format_verdict_sentence, list_notes
from gandiag.scenario.schema import Scenario

if TYPE_CHECKING:
    from rich.console import Console as Terminal
    from rich.table import Table


_STYLES = {"present": "bold red", "absent": "green", "inconclusive": "yellow"}
_ASCII_MARKS = {"present": "*", "absent": "-", "inconclusive": "?"}  # for a pipe without UTF-8


@dataclass(frozen=True)
class Console:
    """Prints verdict, evidence and suggested fixes, in colour on a terminal that has colours.

    During a run it prints a line whenever a failure is detected or is no longer present.
    """

    def begin(self, scenario: Scenario | None, folder: Path | None) -> None:
        """Print nothing at the beginning of a run."""

    def follow(self, rows: Sequence[Row], step: int) -> None:
        """Print nothing: an alert reports what the measurements mean."""

    def alert(self, diagnosis: Diagnosis, step: int) -> None:
        """Print that a failure was detected, or that it is no longer present."""
        is_present = diagnosis.status == "present"
        detected = f"{format_verdict([diagnosis])}. {diagnosis.summary}"
        text = detected if is_present else f"{humanize(diagnosis.condition)} is no longer present"
        style = "bold red" if is_present else "green"
        _open_terminal().print(f"step {step}: {text}", style=style, soft_wrap=True)

    def end(self) -> None:
        """Print nothing at the end of a run; the report follows."""

    def publish(self, report: Report, folder: Path) -> str:
        """Print the report to standard output; return the path of the page, or of the run."""
        page = folder / PAGE_FILE
        path = str(page if page.is_file() else folder)
        terminal = _open_terminal()
        # A pipe that cannot encode the marks would raise an error at the first one.
        marks = _ASCII_MARKS if terminal.options.ascii_only else MARKS
        status = "present" if any(d.status == "present" for d in report.diagnoses) else ""
        terminal.print(
            f"{report.title}: {format_verdict_sentence(report)}", style=_STYLES.get(status, "bold")
        )
        for note in list_notes(report):
            terminal.print(f"! {note}", style="yellow")
        if report.diagnoses:
            terminal.print(_build_overview(report, marks))
        for diagnosis in sort_by_status(select_shown(report.diagnoses)):
            _print_diagnosis(terminal, diagnosis, marks[diagnosis.status])
        for line in (summarize_loop_checks(report.diagnoses), report.objectives):
            if line:
                terminal.print(f"{line}\n")
        _print_fixes(terminal, report)
        terminal.print(path, soft_wrap=True)  # one line, so that a terminal makes it a link
        return path


def _open_terminal() -> Terminal:
    from gandiag.plugins.terminal import output_console

    return output_console()


def _build_overview(report: Report, marks: Mapping[str, str]) -> Table:
    table = _build_table("Condition", "Status", "Failure type", "Since step")
    table.columns[3].justify = "right"
    for diagnosis in sort_by_status(select_shown(report.diagnoses)):
        table.add_row(
            humanize(diagnosis.condition),
            f"{marks[diagnosis.status]} {diagnosis.status}",
            humanize(diagnosis.kind or "-"),
            "-" if diagnosis.onset is None else str(diagnosis.onset),
            style=_STYLES[diagnosis.status],
        )
    return table


def _print_diagnosis(terminal: Terminal, diagnosis: Diagnosis, mark: str) -> None:
    from rich.padding import Padding

    terminal.print(f"{mark} {humanize(diagnosis.condition)}", style=_STYLES[diagnosis.status])
    terminal.print(Padding(diagnosis.summary, (0, 0, 0, 2)))
    if not diagnosis.evidence:
        terminal.print()
        return
    table = _build_table("Measured", "Observed", "Threshold", "Exceeded")
    # On a narrow terminal the texts are wrapped, and each number stays in one piece.
    for column in table.columns[1:]:
        column.no_wrap = True
    table.columns[1].justify = "right"
    for item in diagnosis.evidence:
        style = "bold" if item.holds else ""
        table.add_row(
            item.meaning,
            format_number(item.observed),
            format_threshold(item),
            format_exceeded(item),
            style=style,
        )
        # The signal gets a row of its own, because long names would not fit into 80 columns.
        table.add_row(f"  {item.signal}", style="dim")
    terminal.print(table)


def _print_fixes(terminal: Terminal, report: Report) -> None:
    from rich.padding import Padding

    if not report.suggested_fixes:
        return
    terminal.print("Suggested fixes", style="bold")
    for suggested in report.suggested_fixes:
        condition = humanize(suggested.condition)
        terminal.print(f"  {suggested.fix} (for {condition})", style="cyan")
        terminal.print(Padding(suggested.advice, (0, 0, 0, 4)))
    terminal.print()


def _build_table(*headers: str) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE, header_style="dim", pad_edge=False)
    for header in headers:
        table.add_column(header)
    return table
