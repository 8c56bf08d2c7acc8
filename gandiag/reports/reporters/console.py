"""The report on a terminal: the verdict first, then what it rests on and what may help."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gandiag.diagnosis.diagnosis import Diagnosis
from gandiag.records.record import Row
from gandiag.reports.formatting import (
    MARKS,
    PAGE,
    by_weight,
    folded,
    gate,
    holds,
    notes,
    number,
    plain,
    sentence,
    shown,
)
from gandiag.reports.report import Report, verdict
from gandiag.scenario.schema import Scenario

if TYPE_CHECKING:
    from rich.console import Console as Terminal
    from rich.table import Table


_STYLES = {"present": "bold red", "absent": "green", "inconclusive": "yellow"}
_ASCII = {"present": "*", "absent": "-", "inconclusive": "?"}  # for a pipe that is not UTF-8


@dataclass(frozen=True)
class Console:
    """Prints verdict, evidence and advice; in colour only on a terminal that has it.

    As a follower it prints a line whenever a condition appears or clears.
    """

    def begin(self, scenario: Scenario | None, folder: Path | None) -> None:
        """Print nothing yet."""

    def follow(self, rows: Sequence[Row], step: int) -> None:
        """Print nothing: what the numbers mean comes with an alert."""

    def alert(self, diagnosis: Diagnosis, step: int) -> None:
        """Print what has appeared, or that it has cleared."""
        present = diagnosis.status == "present"
        found = f"{verdict([diagnosis])}. {diagnosis.summary}"
        said = found if present else f"{plain(diagnosis.condition)} has cleared"
        style = "bold red" if present else "green"
        _terminal().print(f"step {step}: {said}", style=style, soft_wrap=True)

    def end(self) -> None:
        """Print nothing more."""

    def publish(self, report: Report, folder: Path) -> str:
        """Print the report to standard output; return where the page or the record lies."""
        page = folder / PAGE
        where = str(page if page.is_file() else folder)
        terminal = _terminal()
        marks = _ASCII if terminal.options.ascii_only else MARKS
        status = "present" if any(d.status == "present" for d in report.diagnoses) else ""
        terminal.print(f"{report.title}: {sentence(report)}", style=_STYLES.get(status, "bold"))
        for note in notes(report):
            terminal.print(f"! {note}", style="yellow")
        if report.diagnoses:
            terminal.print(_overview(report, marks))
        for diagnosis in by_weight(shown(report.diagnoses)):
            _explain(terminal, diagnosis, marks[diagnosis.status])
        for line in (folded(report.diagnoses), report.objectives):
            if line:
                terminal.print(f"{line}\n")
        _advise(terminal, report)
        terminal.print(where, soft_wrap=True)
        return where


def _terminal() -> Terminal:
    from rich.console import Console as Terminal

    return Terminal(highlight=False, markup=False, emoji=False)


def _overview(report: Report, marks: Mapping[str, str]) -> Table:
    table = _table("Condition", "Status", "Kind", "Since step")
    table.columns[3].justify = "right"
    for diagnosis in by_weight(shown(report.diagnoses)):
        table.add_row(
            plain(diagnosis.condition),
            f"{marks[diagnosis.status]} {diagnosis.status}",
            plain(diagnosis.kind or "-"),
            "-" if diagnosis.onset is None else str(diagnosis.onset),
            style=_STYLES[diagnosis.status],
        )
    return table


def _explain(terminal: Terminal, diagnosis: Diagnosis, mark: str) -> None:
    from rich.padding import Padding

    terminal.print(f"{mark} {plain(diagnosis.condition)}", style=_STYLES[diagnosis.status])
    terminal.print(Padding(diagnosis.summary, (0, 0, 0, 2)))
    if not diagnosis.evidence:
        terminal.print()
        return
    table = _table("What was measured", "Observed", "Speaks for it if", "Does it?")
    for column in table.columns[1:]:
        column.no_wrap = True
    table.columns[1].justify = "right"
    for item in diagnosis.evidence:
        style = "bold" if item.holds else ""
        table.add_row(item.meaning, number(item.observed), gate(item), holds(item), style=style)
        table.add_row(f"  {item.signal}", style="dim")
    terminal.print(table)


def _advise(terminal: Terminal, report: Report) -> None:
    from rich.padding import Padding

    if not report.suggested_fixes:
        return
    terminal.print("What may help", style="bold")
    for treatment in report.suggested_fixes:
        against = plain(treatment.condition)
        terminal.print(f"  {treatment.fix} (against {against})", style="cyan")
        terminal.print(Padding(treatment.advice, (0, 0, 0, 4)))
    terminal.print()


def _table(*headers: str) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE, header_style="dim", pad_edge=False)
    for header in headers:
        table.add_column(header)
    return table
