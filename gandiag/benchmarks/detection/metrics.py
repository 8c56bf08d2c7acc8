"""Metrics: the figures of the protocol, computed from single outcomes."""

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
    divide,
    f1,
    poisson_interval,
)
from gandiag.comparison.statistics import wilson_interval


@dataclass(frozen=True)
class Score:
    """How well one method detects one condition, over the runs that are not grey for it.

    Attributes:
        method: name of the method.
        condition: the condition.
        found: number of runs with the condition in which it was found.
        missed: number of runs with the condition in which it was not found.
        false: number of runs with a false alarm.
        absent: number of runs without the condition.
        grey: number of runs that are grey for the condition and do not count.
        recall_interval: Wilson's interval of the recall.
        f1_interval: interval of F1, by a bootstrap over cases.
        delays: generator steps from the onset, of the runs in which the condition was found.
        kinds: number of right failure types, and number of failure types that were compared.
        inconclusive: number of runs whose last answer is inconclusive, of `scored`.
        scored: number of runs that are not grey.
    """

    method: str
    condition: str
    found: int
    missed: int
    false: int
    absent: int
    grey: int
    recall_interval: Interval
    f1_interval: Interval
    delays: tuple[int, ...]
    kinds: tuple[int, int]
    inconclusive: int
    scored: int

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall, in [0, 1]."""
        return f1(self.found, self.missed, self.false)

    @property
    def recall(self) -> float:
        """Share of the runs with the condition in which it was found; NaN if there are none."""
        return divide(self.found, self.found + self.missed)

    @property
    def precision(self) -> float:
        """Share of right alarms among found runs and false alarms; NaN if there are none."""
        return divide(self.found, self.found + self.false)

    def delay(self, quantile: float) -> float:
        """Quantile of the delays in generator steps; NaN if nothing was found."""
        return float(np.quantile(self.delays, quantile)) if self.delays else math.nan


def score_method(outcomes: Sequence[Outcome], method: str, condition: str) -> Score:
    """Score one method for one condition."""
    selected = [o for o in outcomes if o.method == method and o.condition == condition]
    # Grey runs are counted, but neither a right nor a wrong answer can be given for them.
    clear = [o for o in selected if o.truth != GREY]
    present = [o for o in clear if o.truth == PRESENT]
    found = sum(o.found for o in present)
    kinds = [o.is_kind_right for o in present if o.is_kind_right is not None]
    return Score(
        method=method,
        condition=condition,
        found=found,
        missed=len(present) - found,
        false=sum(o.is_false_alarm for o in clear),
        absent=len(clear) - len(present),
        grey=len(selected) - len(clear),
        recall_interval=Interval(*wilson_interval(found, len(present))),
        f1_interval=cluster_bootstrap(
            [o.case for o in clear], lambda indices: _compute_f1([clear[i] for i in indices])
        ),
        delays=tuple(o.delay for o in present if o.delay is not None),
        kinds=(sum(kinds), len(kinds)),
        inconclusive=sum(o.last == "inconclusive" for o in clear),
        scored=len(clear),
    )


def macro_f1(outcomes: Sequence[Outcome], method: str) -> tuple[float, Interval]:
    """Return the mean F1 over the conditions, and its interval by a bootstrap over cases."""
    clear = [o for o in outcomes if o.method == method and o.truth != GREY]

    def mean_f1(chosen: Sequence[Outcome]) -> float:
        each = [_compute_f1([o for o in chosen if o.condition == name]) for name in CONDITIONS]
        return float(np.mean(each))

    interval = cluster_bootstrap(
        [o.case for o in clear], lambda indices: mean_f1([clear[i] for i in indices])
    )
    return mean_f1(clear), interval


@dataclass(frozen=True)
class HealthyRuns:
    """False alarms on healthy runs: those for which all three conditions are absent.

    Attributes:
        runs: number of healthy runs.
        alarmed: names of the runs with a false alarm of any condition, as ``CASE/SEED``.
        alarms: number of false alarms in total.
        steps: generator steps in total at which an alarm would have been false; of each run, the
            smallest number over the three conditions.
        rate: interval of the number of alarms per 1,000 generator steps (Poisson, exact).
    """

    runs: int
    alarmed: tuple[str, ...]
    alarms: int
    steps: int
    rate: Interval


def count_false_alarms(outcomes: Sequence[Outcome], method: str) -> HealthyRuns:
    """Count the false alarms of a method on healthy runs."""
    healthy = {
        run: found
        for run, found in group_by_run(outcomes, method).items()
        if all(o.truth == ABSENT for o in found)
    }
    alarms = sum(o.false for found in healthy.values() for o in found)
    # An alarm of another condition may be excused at other steps, so the smallest number counts.
    steps = sum(min(o.exposed for o in found) for found in healthy.values())
    alarmed = [
        f"{case}/{seed}"
        for (case, seed), found in healthy.items()
        if any(o.is_false_alarm for o in found)
    ]
    rate = poisson_interval(alarms, steps / 1000) if steps else Interval(math.nan, math.nan)
    return HealthyRuns(len(healthy), tuple(alarmed), alarms, steps, rate)


def confusion_matrix(outcomes: Sequence[Outcome], method: str) -> dict[str, dict[str, int]]:
    """Count the conditions that were reported at the end of runs, by the label of the run.

    A run counts in the row of each condition that it has, and in the column of each condition that
    was reported. The row ``healthy`` holds the runs without any condition, the column ``none`` the
    runs for which nothing was reported.
    """
    matrix = {row: dict.fromkeys((*CONDITIONS, "none"), 0) for row in (*CONDITIONS, "healthy")}
    for found in group_by_run(outcomes, method).values():
        rows = [o.condition for o in found if o.truth == PRESENT]
        if all(o.truth == ABSENT for o in found):
            rows = ["healthy"]
        # A run that is grey for some condition, and has none, is in no row.
        reported = [o.condition for o in found if o.last == "present"] or ["none"]
        for row in rows:
            for name in reported:
                matrix[row][name] += 1
    return matrix


def f1_at_end(
    truths: Mapping[tuple[str, int, str], int],
    last: Mapping[tuple[str, int], Mapping[str, str]],
    condition: str,
) -> float:
    """Compute the F1 of the last answers alone.

    This is simpler than `score_method`, so that it can be computed for many ablations.

    Args:
        truths: label by case, seed and condition.
        last: last answer for each condition, by case and seed.
        condition: the condition.
    """
    found = missed = false = 0  # A grey run adds to none of them.
    for (case, seed), answers in last.items():
        truth, is_reported = truths[case, seed, condition], answers[condition] == "present"
        found += truth == PRESENT and is_reported
        missed += truth == PRESENT and not is_reported
        false += truth == ABSENT and is_reported
    return f1(found, missed, false)


def group_by_run(outcomes: Sequence[Outcome], method: str) -> dict[tuple[str, int], list[Outcome]]:
    """Group the outcomes of a method by case and seed."""
    groups: dict[tuple[str, int], list[Outcome]] = {}
    for outcome in outcomes:
        if outcome.method == method:
            groups.setdefault((outcome.case, outcome.seed), []).append(outcome)
    return groups


def _compute_f1(outcomes: Sequence[Outcome]) -> float:
    present = [o for o in outcomes if o.truth == PRESENT]
    found = sum(o.found for o in present)
    return f1(found, len(present) - found, sum(o.is_false_alarm for o in outcomes))
