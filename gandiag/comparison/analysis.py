"""The analysis of a comparison: from the outcomes of all runs to rates, medians and verdicts."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from gandiag.comparison.outcome import Outcome
from gandiag.comparison.paired_tests import (
    Outcomes,
    adjust_paired_tests,
    compare_failure_free,
    condition_rate,
    run_paired_tests,
)
from gandiag.comparison.results import Comparison, ScenarioResult
from gandiag.comparison.scenarios import BASELINE, ComparedScenario
from gandiag.comparison.statistics import Estimate, estimate_median, seeds_needed
from gandiag.comparison.verdict import MAJORITY, decide_verdict
from gandiag.diagnosis.diagnosis import humanize


def compare_outcomes(
    compared: Sequence[ComparedScenario],
    outcomes: Sequence[Outcome],
    planned: int = 0,
    threads: int = 1,
) -> Comparison:
    """Compare fixes with the baseline, from the outcomes of their runs.

    Args:
        compared: the baseline, then the scenarios with fixes.
        outcomes: outcomes of their runs, in any order; some runs may be missing.
        planned: if fixes are tried one after the other until one cures, how many may be tried.
            Each fix is then corrected for this number (Bonferroni), as the later fixes are not
            known yet. 0 if all fixes are trained whatever their outcomes (Holm's correction).
        threads: number of torch threads of each run; only passed on to the result.
    """
    by_name: dict[str, Outcomes] = {
        each.name: {o.seed: o for o in outcomes if o.scenario_name == each.name}
        for each in compared
    }
    baseline = by_name[BASELINE]
    # Duplicates are dropped and the order kept, as a set has another order in each process.
    conditions = tuple(dict.fromkeys(c for o in outcomes for c in o.statuses))
    targets = tuple(c for c in conditions if _is_target(baseline, c))
    level = _quality_level(baseline)
    fixes = {name: found for name, found in by_name.items() if name != BASELINE}
    paired_tests = adjust_paired_tests(
        {name: run_paired_tests(baseline, found, conditions) for name, found in fixes.items()},
        planned,
    )
    failure_free = compare_failure_free(baseline, fixes, targets, planned)
    results = []
    for each in compared:
        # Rates and medians first: the verdict needs the rates of the fix.
        result = _summarize_scenario(each, by_name[each.name], baseline, conditions, level)
        if each.name != BASELINE:
            tests, free = paired_tests[each.name], failure_free[each.name]
            rates = {c: condition_rate(baseline, c) for c in conditions}
            verdict, summary = decide_verdict(tests, result.rates, rates, targets, free)
            result = replace(
                result,
                paired_tests=tests,
                failure_free=free,
                verdict=verdict,
                summary=summary,
            )
        results.append(result)
    return Comparison(
        name=compared[0].scenario.name,
        conditions=conditions,
        targets=targets,
        level=level,
        distance_name=next((o.distance_name for o in outcomes), "distance"),
        results=tuple(results),
        notes=tuple(_write_notes(baseline, targets, conditions, planned or len(fixes))),
        threads=threads,
    )


def _is_target(baseline: Outcomes, condition: str) -> bool:
    rate = condition_rate(baseline, condition)
    return rate.evaluated > 0 and rate.present >= MAJORITY * rate.evaluated


def _quality_level(baseline: Outcomes) -> float:
    """Return the median over the baseline's runs of the smallest distance that each reached."""
    smallest = [
        # A run without any measurement is left out of the median.
        min((distance for _, distance in outcome.distances), default=math.nan)
        for outcome in baseline.values()
    ]
    return estimate_median(smallest).value


def _summarize_scenario(
    compared: ComparedScenario,
    outcomes: Outcomes,
    baseline: Outcomes,
    conditions: Sequence[str],
    level: float,
) -> ScenarioResult:
    """Compute rates and medians of one compared scenario."""

    def median(value: Callable[[Outcome], float]) -> Estimate:
        return estimate_median([value(outcome) for outcome in outcomes.values()])

    cost_ratios = [
        outcomes[seed].seconds_per_step / baseline[seed].seconds_per_step
        for seed in outcomes.keys() & baseline.keys()
        if baseline[seed].seconds_per_step  # 0 if the clock is too coarse for the step
    ]
    return ScenarioResult(
        compared=compared,
        outcomes=outcomes,
        rates={condition: condition_rate(outcomes, condition) for condition in conditions},
        distance=median(lambda outcome: outcome.distance),
        coverage=median(lambda outcome: outcome.coverage),
        balance=median(lambda outcome: outcome.balance),
        steps_to_quality=median(lambda outcome: outcome.steps_to(level)),
        # Sorted, as the order of a set may differ between processes, and with it the resampling.
        cost=estimate_median(sorted(cost_ratios)),
    )


def _write_notes(
    baseline: Outcomes, targets: Sequence[str], conditions: Sequence[str], fixes: int
) -> list[str]:
    """Write sentences on what this comparison cannot show."""
    notes = []
    needed = seeds_needed(max(fixes, 1))
    if len(baseline) < needed:
        count = f"{fixes} {'fix' if fixes == 1 else 'fixes'}"
        notes.append(
            f"{len(baseline)} seeds are too few to confirm a fix: a comparison with {count} needs "
            f"at least {needed} seeds."
        )
    if not targets:
        notes.append(
            "No failure is present in half of the baseline's runs, so no fix can be confirmed."
        )
    inconclusive = [
        humanize(condition)
        for condition in conditions
        if any(outcome.status(condition) == "inconclusive" for outcome in baseline.values())
    ]
    if inconclusive:
        notes.append(f"Inconclusive in some runs of the baseline: {', '.join(inconclusive)}.")
    return notes
