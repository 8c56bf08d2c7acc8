"""Looks for a cure: plays a scenario with the fixes that fit it, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gandiag.comparison.analysis import compare_outcomes
from gandiag.comparison.compare import Plan
from gandiag.comparison.fix_order import rank_fixes, remaining_conditions
from gandiag.comparison.outcome import Outcome
from gandiag.comparison.page import write_json, write_page
from gandiag.comparison.parallel import Workers
from gandiag.comparison.results import Comparison
from gandiag.comparison.scenarios import BASELINE, ComparedScenario, apply_fixes
from gandiag.comparison.statistics import seeds_needed
from gandiag.comparison.trial import load_outcome
from gandiag.diagnosis.diagnosis import humanize
from gandiag.plugins.errors import BadInput
from gandiag.records.storage import write_file
from gandiag.reports.saved_runs import build_source
from gandiag.scenario.schema import Scenario

FIXED_SCENARIO = "cured.yaml"
TREATMENTS = Path("reports/treat")
MAX_FIXES = 4  # tried; of 10 seeds two may say nothing: 4 x 2 / 2**8 < 0.05
SEEDS = 10

Say = Callable[[str], None]


@dataclass(frozen=True)
class TreatmentResult:
    """What came of looking for a cure.

    Attributes:
        comparison: of the untreated game and every fix that was tried.
        cure: the fix that cures, or fixes joined by ``+``; None where none was found.
        cured: the scenario with it, written to disk; None where there is none.
        left: fixes that fit too, but were not tried.
    """

    comparison: Comparison
    confirmed_fix: str | None
    fixed_scenario: Path | None
    untried: tuple[str, ...]


def treat(
    scenario: Scenario | Path | str,
    folder: Path | str | None = None,
    *,
    seeds: int = SEEDS,
    most: int = MAX_FIXES,
    workers: Workers | None = None,
    threads: int = 0,
    resume: bool = False,
    say: Say = lambda text: None,
    **changes: Any,
) -> TreatmentResult:
    """Diagnose a scenario over several seeds, try the fixes that fit, and stop at a proven cure.

    The untreated game is played first. Fixes are those that its diagnoses name, in the order of
    `gandiag.comparison.fix_order`. A fix is given up as soon as it could no longer be proven. One
    that takes the failure away but leaves or brings another is no cure; what its own runs'
    diagnoses name is then tried on top of it, one fix at a time. Each is corrected for `most`,
    whatever is tried.

    Args:
        scenario: itself, its file, a run's folder, or the name of a shipped one.
        folder: where games, page, JSON and the cured scenario go; ``reports/treat/NAME`` if None.
        seeds: how often each game is played.
        most: fixes, or fixes together, that are tried.
        workers: who plays; processes on this machine if None.
        threads: of each game; 0 for its share of the cores.
        resume: whether games that are there already are kept, and only the rest is played.
        say: told what happens, a line each.
        **changes: values to replace, by dotted key.

    Raises:
        BadInput: naming the place of a mistake. Nothing has been written then.
    """
    chosen = Scenario.of(build_source(scenario, changes))
    place = Path(folder) if folder is not None else TREATMENTS / chosen.name
    needed = seeds_needed(most)
    if seeds < needed:
        problem = f"are too few to prove one of {most} fixes; take {needed}, or try fewer (--most)"
        raise BadInput(f"{seeds} seeds", problem)
    plan = Plan(chosen, place, seeds, workers or Workers(), threads)
    untreated = ComparedScenario(BASELINE, (), chosen)
    plan.validate([untreated], resume, chosen.name)
    say(f"{chosen.name}, untreated, {seeds} seeds")
    base = list(plan.run(plan.trials([untreated], plan.seeds)))
    outcomes = [*base]
    found = compare_outcomes([untreated], base, most, plan.threads)
    say(_describe_targets(found))
    first = rank_fixes(_finished_folders(plan, untreated), found.targets)
    ahead: list[tuple[str, ...]] = [(name,) for name in first]
    arms, cure = [untreated], None
    while ahead and len(arms) <= most and cure is None:
        arm = apply_fixes(chosen, ahead.pop(0))
        arms.append(arm)
        say(f"{arm.name}: {seeds} seeds at most")
        outcomes += _run_fix(plan, arms, base, most)
        found = compare_outcomes(arms, outcomes, most, plan.threads)
        result = found.fix_results[-1]
        early = f" Given up after {len(result.outcomes)} of {seeds} seeds."
        given_up = early if len(result.outcomes) < seeds else ""
        say(f"{arm.name}: {result.verdict}. {result.summary}{given_up}")
        write_json(found, place)
        if result.verdict == "cures":
            cure = arm
        on_top = (
            rank_fixes(_finished_folders(plan, arm), remaining_conditions(result))
            if _is_single_fix(arm)
            else []
        )
        ahead = _untried(arms, [*((*arm.fixes, name) for name in on_top), *ahead])
    write_json(found, place)
    write_page(found, place)
    cured = _write_fixed_scenario(cure, place) if cure is not None else None
    left = tuple("+".join(names) for names in ahead)
    return TreatmentResult(found, cure.name if cure else None, cured, left)


def _finished_folders(plan: Plan, arm: ComparedScenario) -> list[Path]:
    """Those of the games of an arm that have been played."""
    return [
        game.folder for game in plan.trials([arm], plan.seeds) if load_outcome(game) is not None
    ]


def _untried(
    arms: Sequence[ComparedScenario], ahead: Iterable[tuple[str, ...]]
) -> list[tuple[str, ...]]:
    """What is ahead but for what was tried; the same fixes in another order are the same."""
    tried = {frozenset(arm.fixes) for arm in arms}
    found: dict[frozenset[str], tuple[str, ...]] = {}
    for fixes in ahead:
        found.setdefault(frozenset(fixes), fixes)
    return [fixes for names, fixes in found.items() if names not in tried]


def _is_single_fix(arm: ComparedScenario) -> bool:
    """Whether one fix was tried; what frees runs is built on, what was put on top of it is not.

    Only so many may be tried: a third on top of two would take the place of another second one.
    """
    return len(arm.fixes) == 1


def _run_fix(
    plan: Plan, arms: Sequence[ComparedScenario], base: Sequence[Outcome], most: int
) -> Iterator[Outcome]:
    """Outcomes of the last arm, as many at a time as there are workers, while there is hope."""
    arm = arms[-1]
    step = max(1, plan.workers.parallel_tasks)
    done: list[Outcome] = []
    for begin in range(0, len(plan.seeds), step):
        if _is_hopeless((arms[0], arm), base, done, most):
            return
        for outcome in plan.run(plan.trials([arm], plan.seeds[begin : begin + step])):
            done.append(outcome)
            yield outcome


def _is_hopeless(
    arms: tuple[ComparedScenario, ComparedScenario],
    base: Sequence[Outcome],
    done: Sequence[Outcome],
    most: int,
) -> bool:
    """Whether nothing could be gained any more, were all that is left to play as good as can be.

    Giving up early can only lose cures, not find false ones.
    """
    arm, played = arms[1], {outcome.seed for outcome in done}
    ideal = [_best_outcome(outcome, arm) for outcome in base if outcome.seed not in played]
    best = compare_outcomes(arms, [*base, *done, *ideal], most).fix_results[0]
    return best.verdict != "cures" and not (_is_single_fix(arm) and remaining_conditions(best))


def _best_outcome(untreated: Outcome, arm: ComparedScenario) -> Outcome:
    """The best that an arm could do for a seed."""
    return replace(
        untreated,
        scenario_name=arm.name,
        statuses=dict.fromkeys(untreated.statuses, "absent"),
        kinds={},
        distances=tuple((step, 0.0) for step, _ in untreated.distances),
    )


def _describe_targets(found: Comparison) -> str:
    if not found.targets:
        return "nothing is present in half of the runs: there is nothing to treat"
    rates = found.baseline.rates
    shares = (
        f"{humanize(t)} in {rates[t].present} of {rates[t].evaluated} runs" for t in found.targets
    )
    return f"it suffers from {', '.join(shares)}"


def _write_fixed_scenario(arm: ComparedScenario, folder: Path) -> Path:
    scenario = arm.scenario
    name, fixes = f"{scenario.name[:93]}_cured", ", ".join(arm.fixes)
    about = f"{scenario.about.strip()}\nWith {fixes}, which cured it.".strip()
    kept = scenario.set({"name": name, "about": about, "expect": {}})
    path = folder / FIXED_SCENARIO
    write_file(path, kept.as_yaml())
    return path
