"""Findings on a terminal: what each says first, then its numbers, then what it cannot say."""

from __future__ import annotations

from collections.abc import Iterable

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table

from gandiag.examination.finding import Finding, Measure
from gandiag.reports.formatting import number


def show(findings: Iterable[Finding], title: str) -> None:
    """Print findings to standard output."""
    terminal = Console(highlight=False, markup=False, emoji=False)
    terminal.print(title, style="bold", soft_wrap=True)
    terminal.print()
    for finding in findings:
        terminal.print(finding.instrument.replace("_", " "), style="bold cyan")
        terminal.print(Padding(finding.summary, (0, 0, 0, 2)))
        if finding.measures:
            terminal.print(_numbers(finding.measures))
        if finding.limits:
            terminal.print(Padding(finding.limits, (0, 0, 1, 2)), style="dim")


def _numbers(measures: tuple[Measure, ...]) -> Table:
    table = Table(box=box.SIMPLE, header_style="dim", pad_edge=False)
    table.add_column("What was measured")
    for head in ("Value", "From", "To"):
        table.add_column(head, justify="right", no_wrap=True)
    for each in measures:
        table.add_row(each.meaning, number(each.value), number(each.low), number(each.high))
        table.add_row(f"  {each.name}", style="dim")
    return table
