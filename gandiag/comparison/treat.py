"""Searches for a fix: tries the fixes that the diagnoses suggest, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gandiag.comparison.analysis import compare_outcomes
from gandiag.comparison.compare import Plan
from gandiag.comparison.fix_order import rank_fixes, remaining_conditions
from gandiag.comparison.json_data import write_comparison_json
from gandiag.comparison.outcome import Outcome
from gandiag.comparison.page import write_page
from gandiag.comparison.parallel import Workers
from gandiag.comparison.results import Comparison
from gandiag.comparison.scenarios import BASELINE, ComparedScenario, apply_fixes
from gandiag.comparison.statistics import seeds_needed
from gandiag.comparison.trial import load_outcome
from gandiag.diagnosis.diagnosis import humanize
from gandiag.plugins.errors import BadInput
from gandiag.records.claim import Claim
from gandiag.records.storage import write_file
from gandiag.reports.saved_runs import build_source
from gandiag.scenario.schema import Scenario

FIXED_SCENARIO = "cured.yaml"  # File name in the folder of the search.
TREATMENTS = Path("reports/treat")
SEEDS = 10
# Fixes that are tried. With 10 seeds a fix can still be confirmed if 2 of its pairs carry no
# information: sign_test(8, 0) = 2 / 2^8, and 4 * 2 / 2^8 = 0.03 is below 0.05.
MAX_FIXES = 4


@dataclass(frozen=True)
class TreatmentResult:
    """The result of a search for a fix.

    Attributes:
        comparison: the baseline and every fix that was tried.
        confirmed_fix: name of the fix that cures, or names joined by ``+``; None if none does.
        fixed_scenario: file of the scenario with that fix; None if there is none.
        untried: suggested fixes that were not tried.
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
    log: Callable[[str], None] = lambda text: None,
    **changes: Any,
) -> TreatmentResult:
    """Search for a fix of a scenario, and stop at the first one that is confirmed.

    The baseline is trained with all seeds and diagnosed. The fixes that the diagnoses suggest are
    then tried in the order of `gandiag.comparison.fix_order`. A fix is given up as soon as it can
    no longer be confirmed. If a fix makes more runs failure-free but does not cure, the fixes that
    its own diagnoses suggest are tried on top of it next, one at a time. The p-values of each fix
    are multiplied by `most`, however many fixes are tried.

    Args:
        scenario: a scenario, its file, the folder of a run, or the name of a shipped scenario.
        folder: folder of the runs, the page, the JSON file and the fixed scenario;
            ``reports/treat/NAME`` if None.
        seeds: number of runs of the baseline, and of each fix at most.
        most: largest number of fixes, or combinations of fixes, that are tried.
        workers: where the runs are trained; processes on this machine if None.
        threads: number of torch threads of each run; 0 for its share of the cores.
        resume: whether finished runs in the folder are kept and only the missing ones are trained.
        log: called with a line of text on each step of the search.
        **changes: values of the scenario to replace, by dotted key.

    Raises:
        BadInput: the message names the place of a mistake, or another search writes into the
            folder. Nothing has been written then.
        WorkersDied: workers keep dying, for example for lack of memory.
    """
    chosen = Scenario.from_source(build_source(scenario, changes))
    place = Path(folder) if folder is not None else TREATMENTS / chosen.name
    needed = seeds_needed(most)
    if seeds < needed:  # checked before hours of training that could not confirm anything
        problem = f"too few to confirm one of {most} fixes; take {needed}, or fewer fixes (--most)"
        raise BadInput(f"{seeds} seeds", problem)
    plan = Plan(chosen, place, seeds, workers or Workers(), threads)
    baseline = ComparedScenario(BASELINE, (), chosen)
    plan.validate([baseline], resume, chosen.name)
    with Claim(place, str(place)):
        return _search(plan, baseline, most, log)


def _search(
    plan: Plan, baseline: ComparedScenario, most: int, log: Callable[[str], None]
) -> TreatmentResult:
    """Train the baseline, and try fixes until one is confirmed."""
    chosen, seeds, place = baseline.scenario, len(plan.seeds), plan.folder
    log(f"{chosen.name}, baseline: {seeds} seeds")
    baseline_outcomes = list(plan.run(plan.trials([baseline], plan.seeds)))
    outcomes = [*baseline_outcomes]
    comparison = compare_outcomes([baseline], baseline_outcomes, most, plan.threads)
    log(_describe_targets(comparison))
    suggested = rank_fixes(_finished_folders(plan, baseline), comparison.targets)
    candidates: list[tuple[str, ...]] = [(name,) for name in suggested]
    compared, confirmed = [baseline], None
    while candidates and len(compared) <= most and confirmed is None:
        fix = apply_fixes(chosen, candidates.pop(0))
        compared.append(fix)
        log(f"{fix.name}: at most {seeds} seeds")
        outcomes += _run_fix(plan, compared, baseline_outcomes, most)
        comparison = compare_outcomes(compared, outcomes, most, plan.threads)
        result = comparison.fix_results[-1]
        text = f"{fix.name}: {result.verdict}. {result.summary}"
        if len(result.outcomes) < seeds:
            text += f" Given up after {len(result.outcomes)} of {seeds} seeds."
        log(text)
        write_comparison_json(comparison, place)  # after each fix, as the search can take hours
        if result.verdict == "cures":
            confirmed = fix
        if _is_single_fix(fix):
            folders = _finished_folders(plan, fix)
            additions = rank_fixes(folders, remaining_conditions(result))
            # Combinations first: they build on a fix that is known to help.
            candidates = [*((*fix.fixes, name) for name in additions), *candidates]
        candidates = _drop_tried(candidates, compared)
    write_comparison_json(comparison, place)
    write_page(comparison, place)
    return TreatmentResult(
        comparison,
        confirmed_fix=confirmed.name if confirmed else None,
        fixed_scenario=_write_fixed_scenario(confirmed, place) if confirmed else None,
        untried=tuple("+".join(names) for names in candidates),
    )


def _finished_folders(plan: Plan, compared: ComparedScenario) -> list[Path]:
    trials = plan.trials([compared], plan.seeds)
    return [trial.folder for trial in trials if load_outcome(trial) is not None]


def _drop_tried(
    candidates: Iterable[tuple[str, ...]], compared: Sequence[ComparedScenario]
) -> list[tuple[str, ...]]:
    """Return the untried candidates. The same fixes in another order are the same candidate."""
    tried = {frozenset(each.fixes) for each in compared}
    unique: dict[frozenset[str], tuple[str, ...]] = {}
    for fixes in candidates:
        unique.setdefault(frozenset(fixes), fixes)
    return [fixes for names, fixes in unique.items() if names not in tried]


def _is_single_fix(compared: ComparedScenario) -> bool:
    """Whether another fix may be tried on top of this scenario.

    Only few fixes are tried in all. A combination of three would take the place of another
    combination of two.
    """
    return len(compared.fixes) == 1


def _run_fix(
    plan: Plan, compared: Sequence[ComparedScenario], baseline: Sequence[Outcome], most: int
) -> Iterator[Outcome]:
    """Run the last scenario of `compared`, as long as it can still be confirmed.

    As many seeds run at a time as there are workers.
    """
    fix = compared[-1]
    step = max(1, plan.workers.parallel_tasks)
    finished: list[Outcome] = []
    # A check after every single run would let the other workers wait for it.
    for begin in range(0, len(plan.seeds), step):
        if _is_hopeless((compared[0], fix), baseline, finished, most):
            return
        for outcome in plan.run(plan.trials([fix], plan.seeds[begin : begin + step])):
            finished.append(outcome)
            yield outcome


def _is_hopeless(
    compared: tuple[ComparedScenario, ComparedScenario],
    baseline: Sequence[Outcome],
    finished: Sequence[Outcome],
    most: int,
) -> bool:
    """Whether a fix can no longer be confirmed, even with the best outcomes for all other seeds.

    To stop early can miss a fix that cures. It cannot confirm a fix wrongly, as a fix is only
    confirmed with all seeds.
    """
    fix, seeds = compared[1], {outcome.seed for outcome in finished}
    missing = [_best_outcome(outcome, fix) for outcome in baseline if outcome.seed not in seeds]
    best = compare_outcomes(compared, [*baseline, *finished, *missing], most).fix_results[0]
    return best.verdict != "cures" and not (_is_single_fix(fix) and remaining_conditions(best))


def _best_outcome(baseline: Outcome, fix: ComparedScenario) -> Outcome:
    """Return the best possible outcome of a fix for the seed of a baseline's outcome."""
    return replace(
        baseline,
        scenario_name=fix.name,
        statuses=dict.fromkeys(baseline.statuses, "absent"),
        kinds={},
        # With a distance of 0, the quality of the samples cannot speak against the fix.
        distances=tuple((step, 0.0) for step, _ in baseline.distances),
    )


def _describe_targets(comparison: Comparison) -> str:
    if not comparison.targets:
        return "no failure is present in half of the runs: there is nothing to treat"
    rates = comparison.baseline.rates
    counts = (
        f"{humanize(target)} in {rates[target].present} of {rates[target].evaluated} runs"
        for target in comparison.targets
    )
    return f"failures: {', '.join(counts)}"


def _write_fixed_scenario(fix: ComparedScenario, folder: Path) -> Path:
    scenario = fix.scenario
    about = f"{scenario.about.strip()}\nFixed by {', '.join(fix.fixes)}.".strip()
    # The expectations of the scenario are those without the fix.
    # 93 letters and the suffix stay within the 100 that the schema accepts for a name.
    fixed = scenario.set({"name": f"{scenario.name[:93]}_cured", "about": about, "expect": {}})
    path = folder / FIXED_SCENARIO
    write_file(path, fixed.as_yaml())
    return path
