"""A comparison on a terminal: a line for each arm, then what each fix does."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from gandiag.comparison.results import Comparison
from gandiag.diagnosis.diagnosis import humanize


def show(found: Comparison) -> None:
    """Print a comparison to standard output."""
    table = Table(box=None)
    for name in ("Arm", *map(humanize, found.conditions)):
        table.add_column(name, overflow="fold")
    for name in ("Distance", "Coverage", "Cost"):
        table.add_column(name, justify="right")
    for result in found.results:
        rates = (result.rates[c] for c in found.conditions)
        table.add_row(
            result.arm.name,
            *(f"{rate.present} of {rate.judged}" for rate in rates),
            f"{result.distance.value:.3g}",
            f"{result.coverage.value:.2f}",
            f"{result.cost.value:.2f}",
        )
    console = Console(highlight=False, markup=False, emoji=False)
    console.print(table)
    for result in found.fixed:
        console.print(f"{result.arm.name}: {result.verdict}. {result.summary}", soft_wrap=True)
    for note in found.notes:
        console.print(f"Note: {note}", soft_wrap=True)
