"""Paired tests of a fix against the baseline, corrected for the number of tests."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from gandiag.comparison.outcome import Outcome
from gandiag.comparison.results import QUALITY, FailureFree, PairedTest
from gandiag.comparison.statistics import Rate, adjust_p_values, estimate_rate, sign_test

Outcomes: TypeAlias = Mapping[int, Outcome]  # The outcomes of one compared scenario, by seed.

# Share of the larger of two distances. A smaller difference counts as none: paired runs are so
# alike that the sign test would find differences of 1 in 3000, which are of no use to anybody.
MIN_RELATIVE_CHANGE = 0.05
# With fewer pairs that differ, the p-value of the exact test is always 1. Such a test cannot make a
# false claim, so Holm's correction does not count it.
MIN_DISCORDANT_PAIRS = 2


def run_paired_tests(
    baseline: Outcomes, fix: Outcomes, conditions: Sequence[str]
) -> tuple[PairedTest, ...]:
    """Test a fix against the baseline in each condition and in the distance to the data."""
    # A fix may lack seeds: `treat` gives up a fix before all its seeds have run.
    pairs = [(baseline[seed], fix[seed]) for seed in sorted(baseline.keys() & fix.keys())]
    tests = []
    for condition in conditions:
        statuses = [(before.status(condition), after.status(condition)) for before, after in pairs]
        known = [pair for pair in statuses if "inconclusive" not in pair]
        better, worse = _count_changes(known)  # better: the failure disappears with the fix
        p = sign_test(better, worse)
        tests.append(PairedTest(condition, better, worse, len(known), p))
    distances = [
        (before.distance, after.distance)
        for before, after in pairs
        if not (math.isnan(before.distance) or math.isnan(after.distance))
    ]
    better = sum(_is_nearer(after, before) for before, after in distances)
    worse = sum(_is_nearer(before, after) for before, after in distances)
    p = sign_test(better, worse)
    return (*tests, PairedTest(QUALITY, better, worse, len(distances), p))


def _count_changes(statuses: Sequence[tuple[str, str]]) -> tuple[int, int]:
    """Count pairs (baseline, fix) in which a failure disappears, and those in which one appears."""
    return statuses.count(("present", "absent")), statuses.count(("absent", "present"))


def _is_nearer(distance: float, other: float) -> bool:
    """Whether a distance is clearly smaller than another one."""
    if math.isinf(distance) or math.isinf(other):
        return distance < other  # inf - inf would be NaN; two infinite distances are equal
    return other - distance > MIN_RELATIVE_CHANGE * max(abs(distance), abs(other))


def adjust_paired_tests(
    paired_tests: Mapping[str, tuple[PairedTest, ...]], planned: int
) -> dict[str, tuple[PairedTest, ...]]:
    """Correct the p-values of all tests of all fixes.

    Tests with fewer than `MIN_DISCORDANT_PAIRS` keep a corrected p-value of 1. Without `planned`,
    all fixes form one family of tests. With `planned`, each fix is a family, multiplied by the
    number of planned fixes: the verdict on a fix must not depend on what is tried after it.
    """
    families = [[name] for name in paired_tests] if planned else [list(paired_tests)]
    adjusted: dict[tuple[str, str], float] = {}
    for names in families:
        counted = [
            (name, test)
            for name in names
            for test in paired_tests[name]
            if test.better + test.worse >= MIN_DISCORDANT_PAIRS
        ]
        p_values = adjust_p_values([test.p for _, test in counted])
        for (name, test), p in zip(counted, p_values, strict=True):
            adjusted[name, test.quantity] = min(1.0, p * (planned or 1))
    return {
        name: tuple(
            replace(test, adjusted_p=adjusted.get((name, test.quantity), 1.0)) for test in tests
        )
        for name, tests in paired_tests.items()
    }


def compare_failure_free(
    baseline: Outcomes, fixes: Mapping[str, Outcomes], targets: Sequence[str], planned: int
) -> dict[str, FailureFree]:
    """Test for each fix whether more of its runs are failure-free than of the baseline's."""
    found: dict[str, FailureFree] = {}
    for name, fix in fixes.items():
        statuses = [
            (baseline[seed].failure_status(targets), fix[seed].failure_status(targets))
            for seed in baseline.keys() & fix.keys()
        ]
        better, worse = _count_changes(statuses)
        # The test is two-sided; a significant result in the other direction is no cure.
        p = sign_test(better, worse) if better > worse else 1.0
        found[name] = FailureFree(
            _failure_free_rate(fix, targets), _failure_free_rate(baseline, targets), p
        )
    p_values = [free.p for free in found.values()]
    # Bonferroni for a search: the p-values of fixes that come later are not known yet.
    adjusted = [min(1.0, planned * p) for p in p_values] if planned else adjust_p_values(p_values)
    return {
        name: free._replace(p=p) for (name, free), p in zip(found.items(), adjusted, strict=True)
    }


def _failure_free_rate(outcomes: Outcomes, targets: Sequence[str]) -> Rate:
    statuses = [outcome.failure_status(targets) for outcome in outcomes.values()]
    return estimate_rate(
        statuses.count("absent"), statuses.count("present") + statuses.count("absent")
    )


def condition_rate(outcomes: Outcomes, condition: str) -> Rate:
    """Return the rate of runs with a condition among those in which it is not inconclusive."""
    statuses = [outcome.status(condition) for outcome in outcomes.values()]
    return estimate_rate(
        statuses.count("present"), statuses.count("present") + statuses.count("absent")
    )
