"""``gandiag bench treatment``: for how many failing games a cure is found, and what was tried."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from gandiag.benchmarks.detection.cases import read_cases
from gandiag.comparison.parallel import Workers
from gandiag.comparison.results import ScenarioResult
from gandiag.comparison.treat import MOST, TreatmentResult, treat
from gandiag.diagnosis.diagnosis import humanize
from gandiag.plugins.errors import BadInput, nearest
from gandiag.plugins.terminal import error_console
from gandiag.scenario.schema import Scenario
from gandiag.scenario.shipped import find_scenario

# Chosen by the rule in reports/treatment.md, before any of them was treated.
GAMES = (
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
HEADS = ("game", "untreated", "tried", "cured by", "runs")


def treat_all(
    root: Path, names: Sequence[str] = (), seeds: int = 10, jobs: int = 0
) -> Iterator[tuple[str, TreatmentResult]]:
    """Treat games one after the other; what has been played is kept, whatever stopped it.

    Args:
        root: folder of the treatments, one a game.
        names: of `GAMES`; all if empty.
        seeds: how often each game is played, and with each fix.
        jobs: games played at a time, of one thread each; 0 for as many as there are cores.

    Raises:
        BadInput: there is no such game.
    """
    for name in names:
        if name not in GAMES:
            raise BadInput("--case", f'no game "{name}"; {nearest(name, GAMES)}')
    terminal = error_console()
    for name in names or GAMES:
        yield (
            name,
            treat(
                game(name),
                root / name,
                seeds=seeds,
                workers=Workers(jobs=jobs),
                threads=1,
                resume=True,
                say=lambda text: terminal.print(text, soft_wrap=True),
            ),
        )


def game(name: str) -> Scenario:
    """The game of that name, a shipped scenario or one of the detection benchmark's."""
    cases = {case.name: case.scenario for case in read_cases()}
    return cases[name] if name in cases else Scenario.load(find_scenario(name))


def table(found: Sequence[tuple[str, TreatmentResult]]) -> str:
    """What came of the treatments, as Markdown."""
    rows = [HEADS, tuple("---" for _ in HEADS), *(_row(name, each) for name, each in found)]
    cured = sum(each.cure is not None for _, each in found)
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(
        [*lines, "", f"{cured} of {len(found)} games were cured; {MOST} fixes at most."]
    )


def _row(name: str, found: TreatmentResult) -> tuple[str, ...]:
    comparison = found.comparison
    suffers = ", ".join(_present(comparison.baseline, target) for target in comparison.targets)
    tried = [_tried(result, comparison.targets) for result in comparison.fixed]
    runs = sum(len(result.outcomes) for result in comparison.results)
    cure = f"`{found.cure}`" if found.cure else "-"
    return (
        f"`{name}`",
        suffers or "nothing in half of the runs",
        "; ".join(tried) or "-",
        cure,
        str(runs),
    )


def _tried(result: ScenarioResult, targets: Sequence[str]) -> str:
    rates = ", ".join(_present(result, target) for target in targets)
    return f"`{result.arm.name}` {result.verdict} ({rates})"


def _present(result: ScenarioResult, condition: str) -> str:
    rate = result.rates[condition]
    return f"{humanize(condition)} {rate.present} of {rate.judged}"
