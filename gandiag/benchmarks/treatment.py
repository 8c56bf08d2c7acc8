"""``gandiag bench treatment``: for how many failing cases `gandiag treat` confirms a fix."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from gandiag.benchmarks.detection.cases import read_cases
from gandiag.comparison.parallel import Workers
from gandiag.comparison.results import ScenarioResult
from gandiag.comparison.treat import MAX_FIXES, TreatmentResult, treat
from gandiag.diagnosis.diagnosis import humanize
from gandiag.plugins.errors import BadInput, suggest_nearest
from gandiag.plugins.terminal import error_console
from gandiag.scenario.schema import Scenario
from gandiag.scenario.shipped import find_scenario

# The rule in reports/treatment.md selected these cases before any fix was tried on them.
CASES = (
    "mode_collapse",
    "non_convergence",
    "vanishing_gradients",
    "ring_five_to_one",
    "ring_fifteen_to_one",
    "ring_one_to_fifteen",
    "ring_minimax_far_adam",
    "ring_minimax_far_sgd",
    "ring_sgd_ten_to_one",
    "gaussian_one_to_fifteen",
)
HEADS = ("case", "baseline", "fixes tried", "confirmed fix", "runs")


def treat_cases(
    root: Path, names: Sequence[str] = (), seeds: int = 10, jobs: int = 0
) -> Iterator[tuple[str, TreatmentResult]]:
    """Search for a fix of each case, one case after the other; finished runs are kept.

    Args:
        root: folder of the searches; each has a folder with the name of its case.
        names: names of `CASES`; all if empty.
        seeds: number of runs of each baseline, and of each fix at most.
        jobs: number of runs at the same time, with one thread each; 0 for one per core.

    Yields:
        The name of each case, and the result of its search.

    Raises:
        BadInput: there is no such case.
    """
    for name in names:
        if name not in CASES:
            raise BadInput("--case", f'no case "{name}"; {suggest_nearest(name, CASES)}')
    console = error_console()
    for name in names or CASES:
        result = treat(
            load_case(name),
            root / name,
            seeds=seeds,
            workers=Workers(jobs=jobs),
            threads=1,  # Results depend on the number of threads, so every machine uses one.
            resume=True,
            log=lambda text: console.print(text, soft_wrap=True),
        )
        yield name, result


def load_case(name: str) -> Scenario:
    """Load a case of the detection benchmark, or a shipped scenario, by its name."""
    cases = {case.name: case.scenario for case in read_cases()}
    return cases[name] if name in cases else Scenario.load(find_scenario(name))


def format_table(results: Sequence[tuple[str, TreatmentResult]]) -> str:
    """Format the results of searches as Markdown, with the number of confirmed fixes."""
    rows = [HEADS, ["---"] * len(HEADS), *(_format_row(name, result) for name, result in results)]
    table = [f"| {' | '.join(row)} |" for row in rows]
    confirmed = sum(result.confirmed_fix is not None for _, result in results)
    total = f"A fix is confirmed for {confirmed} of {len(results)} cases."
    return "\n".join([*table, "", f"{total} At most {MAX_FIXES} fixes are tried for each case."])


def _format_row(name: str, result: TreatmentResult) -> tuple[str, ...]:
    comparison, targets = result.comparison, result.comparison.targets
    failures = ", ".join(_format_rate(comparison.baseline, target) for target in targets)
    tried = "; ".join(_format_fix(fix, targets) for fix in comparison.fix_results)
    runs = sum(len(each.outcomes) for each in comparison.results)
    return (
        f"`{name}`",
        failures or "no failure in half of the runs",
        tried or "-",
        f"`{result.confirmed_fix}`" if result.confirmed_fix else "-",
        str(runs),
    )


def _format_fix(result: ScenarioResult, targets: Sequence[str]) -> str:
    rates = ", ".join(_format_rate(result, target) for target in targets)
    return f"`{result.compared.name}` {result.verdict} ({rates})"


def _format_rate(result: ScenarioResult, condition: str) -> str:
    rate = result.rates[condition]
    return f"{humanize(condition)} {rate.present} of {rate.evaluated}"
