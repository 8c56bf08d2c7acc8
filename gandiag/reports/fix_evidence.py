"""How often each fix removed a failure in gandiag's own benchmarks.

``fix_evidence.csv`` has one row for each scenario and fix of `gandiag bench fixes` and `gandiag
bench treatment`; a row without a fix is the scenario as it fails. A cell of a condition is the
number of runs in which the condition is present, a slash, and the number of runs in which it is
present or absent. Both studies are of version 0.1.0, November 2026, with the seeds 0 to 9.
"""

from __future__ import annotations

import csv
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from gandiag.diagnosis.diagnosis import humanize

CONDITIONS = ("vanishing_gradients", "mode_collapse", "non_convergence")


class _Count(NamedTuple):
    present: int
    evaluated: int


@dataclass(frozen=True, slots=True)
class _Row:
    scenario: str
    data: str
    cause: str
    fix: str
    runs: int
    counts: Mapping[str, _Count]

    def suffers_from(self, condition: str) -> bool:
        """Whether at least half of the runs with an answer have the condition."""
        present, evaluated = self.counts.get(condition, _Count(0, 0))
        return present > 0 and 2 * present >= evaluated


@dataclass(frozen=True, slots=True)
class FixEvidence:
    """Benchmark runs of a fix against one failure with one cause.

    Attributes:
        runs: number of runs with the fix.
        free: number of runs in which the failure is absent; an inconclusive answer does not count.
        other: number of runs that have at least one other failure, at the least.
    """

    runs: int
    free: int
    other: int

    @property
    def bounds(self) -> tuple[float, float]:
        """Wilson's 95 % interval of the share of runs without any failure."""
        from scipy.stats import binomtest  # Takes a second to import; most commands need no fixes.

        successes = min(self.free, self.runs - self.other)
        interval = binomtest(successes, self.runs).proportion_ci(method="wilson")
        return float(interval.low), float(interval.high)

    def describe(self, condition: str) -> str:
        """State the numbers in one sentence.

        >>> FixEvidence(10, 9, 1).describe("mode_collapse")
        'In benchmark runs with this cause, mode collapse was removed in 9 of 10; at least 1 had \
another failure.'
        """
        removed = (
            f"In benchmark runs with this cause, {humanize(condition)} was removed in {self.free} "
            f"of {self.runs}"
        )
        return (
            f"{removed}; at least {self.other} had another failure."
            if self.other
            else f"{removed}."
        )


def find_evidence(
    fix: str, condition: str, cause: str | None, data: str | None = None
) -> FixEvidence | None:
    """Return the benchmark runs of a fix that are like a failing run; None if there are none.

    Args:
        fix: name of the fix.
        condition: the failure.
        cause: its cause; None for an unknown one, which only runs with an unknown cause are like.
        data: "images" or "points". Runs on other data count only where there are none on such data;
            None for all runs.
    """
    failing = {
        row.scenario
        for row in _read_rows()
        if not row.fix and row.cause == (cause or "") and row.suffers_from(condition)
    }
    rows = [row for row in _read_rows() if row.fix == fix and row.scenario in failing]
    rows = [row for row in rows if row.data == data] or rows
    if not rows:
        return None
    return FixEvidence(
        runs=sum(row.runs for row in rows),
        free=sum(row.counts[condition].evaluated - row.counts[condition].present for row in rows),
        other=sum(
            max((c.present for name, c in row.counts.items() if name != condition), default=0)
            for row in rows
        ),
    )


@functools.cache
def _read_rows() -> tuple[_Row, ...]:
    file = Path(__file__).with_suffix(".csv")
    with file.open(newline="", encoding="utf-8") as text:
        return tuple(
            _Row(
                row["scenario"],
                row["data"],
                row["cause"],
                row["fix"],
                int(row["runs"]),
                {name: _Count(*map(int, row[name].split("/"))) for name in CONDITIONS if row[name]},
            )
            for row in csv.DictReader(text)
        )
