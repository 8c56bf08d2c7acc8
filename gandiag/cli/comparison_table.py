"""Prints a comparison on a terminal: a table of baseline and fixes, then all verdicts."""

from __future__ import annotations

from rich.table import Table

from gandiag.comparison.results import Comparison
from gandiag.diagnosis.diagnosis import humanize
from gandiag.plugins.terminal import output_console


def print_comparison(comparison: Comparison) -> None:
    """Print a comparison to standard output."""
    table = Table(box=None)
    for head in ("Fix", *map(humanize, comparison.conditions)):
        table.add_column(head, overflow="fold")
    for head in ("Distance", "Coverage", "Cost"):
        table.add_column(head, justify="right")
    for result in comparison.results:
        rates = (result.rates[condition] for condition in comparison.conditions)
        table.add_row(
            result.compared.name,
            *(f"{rate.present} of {rate.evaluated}" for rate in rates),
            f"{result.distance.value:.3g}",
            f"{result.coverage.value:.2f}",
            f"{result.cost.value:.2f}",
        )
    console = output_console()
    console.print(table)
    for result in comparison.fix_results:
        console.print(f"{result.compared.name}: {result.verdict}. {result.summary}", soft_wrap=True)
    for note in comparison.notes:
        console.print(f"Note: {note}", soft_wrap=True)
