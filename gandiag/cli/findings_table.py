"""Prints findings on a terminal: first the sentence, then the numbers, then the limits."""

from __future__ import annotations

from collections.abc import Iterable

from rich import box
from rich.padding import Padding
from rich.table import Table

from gandiag.examination.finding import Finding, Measure
from gandiag.plugins.terminal import output_console
from gandiag.reports.formatting import format_number


def print_findings(findings: Iterable[Finding], title: str) -> None:
    """Print findings to standard output."""
    console = output_console()
    console.print(title, style="bold", soft_wrap=True)
    console.print()
    for finding in findings:
        console.print(finding.instrument.replace("_", " "), style="bold cyan")
        console.print(Padding(finding.summary, (0, 0, 0, 2)))
        if finding.measures:
            console.print(_measures_table(finding.measures))
        if finding.limits:
            console.print(Padding(finding.limits, (0, 0, 1, 2)), style="dim")


def _measures_table(measures: tuple[Measure, ...]) -> Table:
    table = Table(box=box.SIMPLE, header_style="dim", pad_edge=False)
    table.add_column("Measurement")
    for head in ("Value", "From", "To"):
        table.add_column(head, justify="right", no_wrap=True)
    for measure in measures:
        numbers = (measure.value, measure.low, measure.high)
        table.add_row(measure.meaning, *map(format_number, numbers))
        table.add_row(f"  {measure.name}", style="dim")
    return table
