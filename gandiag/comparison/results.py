"""What a comparison found: its arms, their numbers, and how they differ. Nothing is judged here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from gandiag.comparison.outcome import Outcome
from gandiag.comparison.scenarios import ComparedScenario
from gandiag.comparison.statistics import SIGNIFICANCE_LEVEL, Estimate, Rate

Verdict = Literal["cures", "helps", "no evidence", "harms"]
QUALITY = "distance"


@dataclass(frozen=True)
class PairedTest:
    """A treated arm beside the untreated one, in one respect.

    Attributes:
        what: a condition, or `QUALITY`.
        better: seeds for which it was better treated.
        worse: seeds for which it was worse.
        pairs: seeds for which both could be judged.
        p: of the exact test.
        adjusted: the same after Holm's correction over all tests of the comparison.
    """

    quantity: str
    better: int
    worse: int
    pairs: int
    p: float
    adjusted_p: float = 1.0

    @property
    def is_significant(self) -> bool:
        """Whether there is a difference, beyond chance."""
        return self.adjusted_p < SIGNIFICANCE_LEVEL


class FailureFree(NamedTuple):
    """How many runs of an arm are free of every target, beside the untreated arm's.

    Attributes:
        treated: free of those that can be judged.
        untreated: the same without the arm's fixes.
        p: of McNemar's exact test that they are not more, corrected; 1 where they are not more.
    """

    with_fix: Rate
    baseline: Rate
    p: float = 1.0


@dataclass(frozen=True)
class ScenarioResult:
    """An arm and what came of it.

    Attributes:
        arm: what was played.
        outcomes: of its runs, by seed.
        rates: share of the runs in which a condition is present, of those judged.
        distance: median distance of the last samples, 0 is best.
        coverage: median coverage of the last samples, [0, 1].
        balance: median class balance of the last samples, [0, 1].
        steps_to_quality: median step at which the samples were as near as the untreated game's best
            (its median over seeds); infinite where most never were.
        cost: median over seeds of the seconds a step takes over those of the untreated game.
        contrasts: beside the untreated arm; none for that itself.
        freed: how many runs are free of all targets; None for the untreated arm.
        verdict: None for the untreated arm.
        says: why, in words.
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
    """All arms of a scenario, judged.

    Attributes:
        name: the scenario's.
        conditions: that were asked about.
        targets: those that the untreated game suffers from.
        level: the distance that counts as reached quality.
        distance_name: what the distance is.
        results: the untreated arm first.
        notes: what a reader must know before believing it.
        threads: of each game.
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
        """The arm that the others are set beside."""
        return self.results[0]

    @property
    def fix_results(self) -> tuple[ScenarioResult, ...]:
        """The arms with fixes."""
        return self.results[1:]

    @property
    def seeds(self) -> tuple[int, ...]:
        """Of all runs, in order."""
        return tuple(sorted({seed for each in self.results for seed in each.outcomes}))
