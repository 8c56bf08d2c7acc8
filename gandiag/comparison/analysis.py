"""From the outcomes of all games to what each arm does: pairs, tests, corrections, medians."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from gandiag.comparison.outcome import Outcome
from gandiag.comparison.results import QUALITY, Comparison, FailureFree, PairedTest, ScenarioResult
from gandiag.comparison.scenarios import BASELINE, ComparedScenario
from gandiag.comparison.statistics import (
    Estimate,
    Rate,
    adjust_p_values,
    estimate_median,
    estimate_rate,
    seeds_needed,
    sign_test,
)
from gandiag.comparison.verdict import MAJORITY, decide_verdict
from gandiag.diagnosis.diagnosis import humanize

MIN_RELATIVE_CHANGE = (
    0.05  # of the larger distance, above: a difference; paired seeds prove 1 in 3000, too
)
MIN_DISCORDANT_PAIRS = 2  # pairs that differ, below: no result of the test could be below 1


def compare_outcomes(
    arms: Sequence[ComparedScenario],
    outcomes: Sequence[Outcome],
    planned: int = 0,
    threads: int = 1,
) -> Comparison:
    """Judge what came of some arms.

    Args:
        arms: the untreated one first.
        outcomes: of their games, in any order; some may be missing.
        planned: arms that were to be tried one after the other until one cures, for which each is
            corrected on its own; 0 where all were played whatever came of the others.
        threads: of each game.
    """
    by_arm = {
        arm.name: {o.seed: o for o in outcomes if o.scenario_name == arm.name} for arm in arms
    }
    base = by_arm[BASELINE]
    conditions = tuple(dict.fromkeys(c for o in outcomes for c in o.statuses))
    targets = tuple(c for c in conditions if _is_target(base, c))
    level = _quality_level(base)
    contrasts = {
        arm.name: _run_paired_tests(base, by_arm[arm.name], conditions)
        for arm in arms
        if arm.name != BASELINE
    }
    adjusted = _adjust_paired_tests(contrasts, planned)
    freed = _test_failure_free(base, by_arm, targets, planned)
    results = tuple(
        _summarize_scenario(
            arm, by_arm[arm.name], base, conditions, level,
            adjusted.get(arm.name, ()), targets, freed.get(arm.name),
        )
        for arm in arms
    )  # fmt: skip
    name = next((o.distance_name for o in outcomes), "distance")
    notes = tuple(_write_notes(base, targets, conditions, planned or len(arms) - 1))
    shown = arms[0].scenario.name
    return Comparison(shown, conditions, targets, level, name, results, notes, threads)


def _is_target(base: Mapping[int, Outcome], condition: str) -> bool:
    rate = _condition_rate(base, condition)
    return rate.evaluated > 0 and rate.present >= MAJORITY * rate.evaluated


def _quality_level(base: Mapping[int, Outcome]) -> float:
    return estimate_median(
        [min((d for _, d in o.distances), default=math.nan) for o in base.values()]
    )[0]


def _run_paired_tests(
    base: Mapping[int, Outcome], other: Mapping[int, Outcome], conditions: Sequence[str]
) -> tuple[PairedTest, ...]:
    both = [(base[seed], other[seed]) for seed in sorted(base.keys() & other.keys())]
    found = []
    for condition in conditions:
        pairs = [(one.status(condition), two.status(condition)) for one, two in both]
        kept = [pair for pair in pairs if "inconclusive" not in pair]
        better, worse = kept.count(("present", "absent")), kept.count(("absent", "present"))
        found.append(PairedTest(condition, better, worse, len(kept), sign_test(better, worse)))
    distances = [(one.distance, two.distance) for one, two in both]
    known = [pair for pair in distances if not any(map(math.isnan, pair))]
    better = sum(_is_nearer(two, one) for one, two in known)
    worse = sum(_is_nearer(one, two) for one, two in known)
    return (*found, PairedTest(QUALITY, better, worse, len(known), sign_test(better, worse)))


def _is_nearer(one: float, other: float) -> bool:
    """Whether a distance is less than another, and by more than nobody would care about."""
    if math.isinf(one) or math.isinf(other):
        return one < other
    return other - one > MIN_RELATIVE_CHANGE * max(abs(one), abs(other))


def _adjust_paired_tests(
    contrasts: Mapping[str, tuple[PairedTest, ...]], planned: int
) -> dict[str, tuple[PairedTest, ...]]:
    """Holm's correction over the tests that could say anything, as known before their outcome."""
    families = [[name] for name in contrasts] if planned else [list(contrasts)]
    found: dict[tuple[str, str], float] = {}
    for names in families:
        telling = [
            (name, c)
            for name in names
            for c in contrasts[name]
            if c.better + c.worse >= MIN_DISCORDANT_PAIRS
        ]
        for (name, c), p in zip(telling, adjust_p_values([c.p for _, c in telling]), strict=True):
            found[name, c.quantity] = min(1.0, p * (planned or 1))
    return {
        name: tuple(
            PairedTest(
                c.quantity, c.better, c.worse, c.pairs, c.p, found.get((name, c.quantity), 1.0)
            )
            for c in each
        )
        for name, each in contrasts.items()
    }


def _test_failure_free(
    base: Mapping[int, Outcome],
    by_arm: Mapping[str, Mapping[int, Outcome]],
    targets: Sequence[str],
    planned: int,
) -> dict[str, FailureFree]:
    """How many runs of each treated arm are free of all targets: one claim an arm."""
    found: dict[str, FailureFree] = {}
    for name, outcomes in by_arm.items():
        if name != BASELINE:
            shared = base.keys() & outcomes.keys()
            both = [
                (base[s].failure_status(targets), outcomes[s].failure_status(targets))
                for s in shared
            ]
            better, worse = both.count(("present", "absent")), both.count(("absent", "present"))
            p = sign_test(better, worse) if better > worse else 1.0
            found[name] = FailureFree(
                _failure_free_rate(outcomes, targets), _failure_free_rate(base, targets), p
            )
    ps = [freed.p for freed in found.values()]
    corrected = [min(1.0, planned * p) for p in ps] if planned else adjust_p_values(ps)
    return {n: f._replace(p=p) for (n, f), p in zip(found.items(), corrected, strict=True)}


def _failure_free_rate(outcomes: Mapping[int, Outcome], targets: Sequence[str]) -> Rate:
    found = [outcome.failure_status(targets) for outcome in outcomes.values()]
    return estimate_rate(found.count("absent"), found.count("present") + found.count("absent"))


def _condition_rate(outcomes: Mapping[int, Outcome], condition: str) -> Rate:
    """Share of the runs in which a condition is present, of those in which it could be judged."""
    found = [o.status(condition) for o in outcomes.values()]
    return estimate_rate(found.count("present"), found.count("present") + found.count("absent"))


def _summarize_scenario(
    arm: ComparedScenario,
    outcomes: Mapping[int, Outcome],
    base: Mapping[int, Outcome],
    conditions: Sequence[str],
    level: float,
    contrasts: tuple[PairedTest, ...],
    targets: Sequence[str],
    freed: FailureFree | None,
) -> ScenarioResult:
    def median(value: Callable[[Outcome], float]) -> Estimate:
        return estimate_median([value(outcome) for outcome in outcomes.values()])

    rates = {condition: _condition_rate(outcomes, condition) for condition in conditions}
    ratios = [
        outcomes[seed].seconds_per_step / base[seed].seconds_per_step
        for seed in outcomes.keys() & base.keys()
        if base[seed].seconds_per_step
    ]
    verdict, says = (None, "") if freed is None else decide_verdict(
        contrasts, rates, {c: _condition_rate(base, c) for c in conditions}, targets, freed
    )  # fmt: skip
    return ScenarioResult(
        compared=arm,
        outcomes=outcomes,
        rates=rates,
        distance=median(lambda o: o.distance),
        coverage=median(lambda o: o.coverage),
        balance=median(lambda o: o.balance),
        steps_to_quality=median(lambda o: o.steps_to(level)),
        cost=estimate_median(sorted(ratios)),
        paired_tests=contrasts,
        failure_free=freed,
        verdict=verdict,
        summary=says,
    )


def _write_notes(
    base: Mapping[int, Outcome], targets: Sequence[str], conditions: Sequence[str], arms: int
) -> list[str]:
    found = []
    needed = seeds_needed(max(arms, 1))
    if len(base) < needed:
        found.append(
            f"{len(base)} seeds are too few: with {arms} {'arm' if arms == 1 else 'arms'} no cure "
            f"can be shown beyond chance with fewer than {needed}."
        )
    if not targets:
        found.append("The untreated game has no failure in half of its runs: there is no cure")
    unjudged = [
        humanize(c) for c in conditions if any(o.status(c) == "inconclusive" for o in base.values())
    ]
    if unjudged:
        found.append(f"Not judged in every untreated run: {', '.join(unjudged)}.")
    return found
