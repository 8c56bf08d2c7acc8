"""Results of a comparison: its scenarios, their rates and medians, and their paired tests.

`gandiag.comparison.analysis` computes these numbers, `gandiag.comparison.verdict` the verdicts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from gandiag.comparison.outcome import Outcome
from gandiag.comparison.scenarios import ComparedScenario
from gandiag.comparison.statistics import SIGNIFICANCE_LEVEL, Estimate, Rate

Verdict = Literal["cures", "helps", "no evidence", "harms"]
QUALITY = "distance"  # `PairedTest.quantity` of the distance between generated and real samples.


@dataclass(frozen=True)
class PairedTest:
    """A fix against the baseline in one quantity, with runs paired by seed.

    Attributes:
        quantity: a condition, or `QUALITY`.
        better: number of seeds for which the run with the fix is better.
        worse: number of seeds for which the run with the fix is worse.
        pairs: number of seeds for which both runs have a value.
        p: p-value of the exact two-sided test.
        adjusted_p: the p-value after Holm's correction over all tests of the comparison.
    """

    quantity: str
    better: int
    worse: int
    pairs: int
    p: float
    adjusted_p: float = 1.0

    @property
    def is_significant(self) -> bool:
        """Whether the difference is beyond chance after the correction."""
        return self.adjusted_p < SIGNIFICANCE_LEVEL


class FailureFree(NamedTuple):
    """How many runs are failure-free, that is, have none of the targets.

    Attributes:
        with_fix: rate of failure-free runs among those with the fix.
        baseline: rate of failure-free runs among those of the baseline.
        p: corrected p-value of McNemar's exact test of the difference; 1 if the fix does not have
            more failure-free runs.
    """

    with_fix: Rate
    baseline: Rate
    p: float = 1.0


@dataclass(frozen=True)
class ScenarioResult:
    """The results of one compared scenario: the baseline, or the baseline with a fix.

    Attributes:
        compared: the scenario that was trained.
        outcomes: outcomes of its runs, by seed.
        rates: rate of runs in which a condition is present, by condition.
        distance: median distance between the last samples and real ones; 0 is best.
        coverage: median coverage of the last samples, in [0, 1].
        balance: median class balance of the last samples, in [0, 1].
        steps_to_quality: median step at which the distance first reached `Comparison.level`;
            infinite if most runs never reached it.
        cost: median over seeds of the seconds of a step, divided by those of the baseline.
        paired_tests: tests against the baseline; none for the baseline itself.
        failure_free: how many runs are failure-free; None for the baseline.
        verdict: what the fix does; None for the baseline.
        summary: sentences that give the reasons of the verdict; empty for the baseline.
    """

    compared: ComparedScenario
    outcomes: Mapping[int, Outcome]
    rates: Mapping[str, Rate]
    distance: Estimate
    coverage: Estimate
    balance: Estimate
    steps_to_quality: Estimate
    cost: Estimate
    paired_tests: tuple[PairedTest, ...] = ()
    failure_free: FailureFree | None = None
    verdict: Verdict | None = None
    summary: str = ""


@dataclass(frozen=True)
class Comparison:
    """A baseline and its fixes, with the results of each.

    Attributes:
        name: name of the scenario.
        conditions: conditions that the detectors reported.
        targets: conditions from which the baseline suffers, see `gandiag.comparison.verdict`.
        level: distance that counts as reached quality: the smallest distance that a run of the
            baseline reached (its median over seeds).
        distance_name: name of the distance.
        results: results of the baseline, then those of each fix.
        notes: sentences on the limits of this comparison.
        threads: number of torch threads of each run.
    """

    name: str
    conditions: tuple[str, ...]
    targets: tuple[str, ...]
    level: float
    distance_name: str
    results: tuple[ScenarioResult, ...]
    notes: tuple[str, ...] = ()
    threads: int = 1

    @property
    def baseline(self) -> ScenarioResult:
        """The results without a fix."""
        return self.results[0]

    @property
    def fix_results(self) -> tuple[ScenarioResult, ...]:
        """The results with each fix."""
        return self.results[1:]

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seeds of all runs, in rising order."""
        return tuple(sorted({seed for each in self.results for seed in each.outcomes}))
