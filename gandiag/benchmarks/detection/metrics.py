"""From single outcomes to the figures that the protocol asks for."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gandiag.benchmarks.detection.matching import Outcome
from gandiag.benchmarks.oracle.labels import ABSENT, CONDITIONS, GREY, PRESENT
from gandiag.benchmarks.statistics import (
    Interval,
    cluster_bootstrap,
    f1,
    poisson_interval,
    ratio,
    wilson,
)


@dataclass(frozen=True)
class Score:
    """How one judge did at one condition, over the runs that are not grey for it.

    Attributes:
        found: runs that have it and were found; `missed`, those that were not.
        false: runs with a false alarm.
        absent: runs that have it not.
        grey: runs that were not scored.
        recall: share found, with Wilson's interval.
        f1_interval: of F1, by a bootstrap over cases.
        delays: generator steps after the onset, of those found.
        kinds: right kinds and kinds compared.
        inconclusive: runs without an answer at their end, of `scored`.
    """

    judge: str
    condition: str
    found: int
    missed: int
    false: int
    absent: int
    grey: int
    recall: Interval
    f1_interval: Interval
    delays: tuple[int, ...]
    kinds: tuple[int, int]
    inconclusive: int
    scored: int

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        return f1(self.found, self.missed, self.false)

    @property
    def precision(self) -> float:
        """Share of the alarmed runs that have it."""
        return ratio(self.found, self.found + self.false)

    def delay(self, quantile: float) -> float:
        """A quantile of the delays; NaN where there are none."""
        return float(np.quantile(self.delays, quantile)) if self.delays else math.nan


def score(outcomes: Sequence[Outcome], judge: str, condition: str) -> Score:
    """One judge's score at one condition."""
    asked = [o for o in outcomes if o.judge == judge and o.condition == condition]
    clear = [o for o in asked if o.truth != GREY]
    has = [o for o in clear if o.truth == PRESENT]
    found = sum(o.found for o in has)
    kinds = [o.right_kind for o in has if o.right_kind is not None]
    return Score(
        judge=judge,
        condition=condition,
        found=found,
        missed=len(has) - found,
        false=sum(o.wrong for o in clear),
        absent=len(clear) - len(has),
        grey=len(asked) - len(clear),
        recall=wilson(found, len(has)),
        f1_interval=cluster_bootstrap(
            [o.case for o in clear], lambda chosen: _f1_of([clear[i] for i in chosen])
        ),
        delays=tuple(o.delay for o in has if o.delay is not None),
        kinds=(sum(kinds), len(kinds)),
        inconclusive=sum(o.last == "inconclusive" for o in clear),
        scored=len(clear),
    )


def macro_f1(outcomes: Sequence[Outcome], judge: str) -> tuple[float, Interval]:
    """Mean F1 over the conditions, with a bootstrap over cases."""
    clear = [o for o in outcomes if o.judge == judge and o.truth != GREY]

    def mean(chosen: Sequence[Outcome]) -> float:
        each = [_f1_of([o for o in chosen if o.condition == name]) for name in CONDITIONS]
        return float(np.mean(each))

    interval = cluster_bootstrap(
        [o.case for o in clear], lambda chosen: mean([clear[i] for i in chosen])
    )
    return mean(clear), interval


@dataclass(frozen=True)
class Healthy:
    """False alarms on runs that have no condition at all, and none in doubt.

    Attributes:
        runs: how many there are; `alarmed`, with a false alarm of any condition.
        alarms: how many in all; `steps`, generator steps in all at which one would have been false,
            whatever it was of.
        rate: alarms per 1,000 generator steps, with Poisson's exact interval.
    """

    runs: int
    alarmed: tuple[str, ...]
    alarms: int
    steps: int
    rate: Interval


def healthy(outcomes: Sequence[Outcome], judge: str) -> Healthy:
    """What a judge says of healthy runs."""
    by_run: dict[tuple[str, int], list[Outcome]] = {}
    for outcome in outcomes:
        if outcome.judge == judge:
            by_run.setdefault((outcome.case, outcome.seed), []).append(outcome)
    well = {run: found for run, found in by_run.items() if all(o.truth == ABSENT for o in found)}
    alarms = sum(o.false for found in well.values() for o in found)
    steps = sum(min(o.exposed for o in found) for found in well.values())
    alarmed = [f"{case}/{seed}" for (case, seed), found in well.items() if any(map(_wrong, found))]
    rate = poisson_interval(alarms, steps / 1000) if steps else Interval(math.nan, math.nan)
    return Healthy(len(well), tuple(alarmed), alarms, steps, rate)


def confusion(outcomes: Sequence[Outcome], judge: str) -> dict[str, dict[str, int]]:
    """How many runs with each condition (or ``healthy``) were called what at their end.

    A run that has, or is called, several conditions counts in each of their rows and columns.
    """
    by_run: dict[tuple[str, int], list[Outcome]] = {}
    for outcome in outcomes:
        if outcome.judge == judge:
            by_run.setdefault((outcome.case, outcome.seed), []).append(outcome)
    names = (*CONDITIONS, "healthy")
    table = {row: dict.fromkeys((*CONDITIONS, "none"), 0) for row in names}
    for found in by_run.values():
        rows = [o.condition for o in found if o.truth == PRESENT]
        if all(o.truth == ABSENT for o in found):
            rows = ["healthy"]
        called = [o.condition for o in found if o.last == "present"] or ["none"]
        for row in rows:
            for name in called:
                table[row][name] += 1
    return table


def f1_at_the_end(
    truths: Mapping[tuple[str, int, str], int],
    last: Mapping[tuple[str, int], Mapping[str, str]],
    condition: str,
) -> float:
    """F1 of the answers at the end of each run; simpler than `score`, for many variations."""
    counts = {"found": 0, "missed": 0, "false": 0}
    for (case, seed), answers in last.items():
        truth = truths[case, seed, condition]
        called = answers[condition] == "present"
        if truth == PRESENT:
            counts["found" if called else "missed"] += 1
        elif truth == ABSENT and called:
            counts["false"] += 1
    return f1(**counts)


def _wrong(outcome: Outcome) -> bool:
    return outcome.wrong


def _f1_of(outcomes: Sequence[Outcome]) -> float:
    has = [o for o in outcomes if o.truth == PRESENT]
    found = sum(o.found for o in has)
    return f1(found, len(has) - found, sum(o.wrong for o in outcomes))
