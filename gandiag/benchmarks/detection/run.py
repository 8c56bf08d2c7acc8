"""``gandiag bench detection``: plays the labelled games, judges them, writes the tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import joblib
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from gandiag.benchmarks.detection.cases import PARTS, chosen
from gandiag.benchmarks.detection.matching import Outcome, judge, without_signals
from gandiag.benchmarks.detection.play import DONE, Run, folder_of, play_all
from gandiag.benchmarks.detection.tables import ablation_table, every_run, summary
from gandiag.plugins.errors import BadInput

__all__ = ["SIGNALS", "detection", "finished", "judge_all", "tables"]

SIGNALS = (
    "slope/score/generator",
    "slope/critic/generator",
    "slope/score_spread/generator",
    "gradient/passage/generator",
    "gradient/first_to_last/generator",
    "motion/fixed/generator",
    "motion/relative/generator",
    "motion/spread/generator",
    "diversity/effective_bins/generator",
    "diversity/missing_mass/generator",
    "diversity/divergence/generator",
    "diversity/dispersion/generator",
    "diversity/precision/generator",
    "diversity/energy/generator",
    "diversity/spread/generator",
    "diversity/bins/generator",
    "classes/histogram/generator",
    "confidence/auc/discriminator",
    "confidence/gap/discriminator",
)


def detection(
    root: Path,
    names: Sequence[str] = (),
    part: str = "",
    seeds: int = 5,
    jobs: int = 1,
    play: bool = True,
    ablation: bool = False,
) -> str:
    """Play what is missing, judge what is there, and return the tables as Markdown.

    Args:
        root: folder of the runs, kept between calls.
        names: cases or families; all if empty.
        part: one of `gandiag.benchmarks.detection.cases.PARTS`; all if empty.
        seeds: how often each game is played, with the seeds 0, 1, ...
        jobs: processes, of one thread each.
        play: whether to play what is missing; else only what is there is judged.
        ablation: whether to ask again without each signal.

    Raises:
        BadInput: there is no such case, or nothing has been played that could be judged.
    """
    cases = chosen(names, part)
    runs = [Run(case, seed) for seed in range(seeds) for case in cases]  # all games early
    if play:
        _play(runs, root, jobs)
    played = finished(runs, root)
    if not played:
        raise BadInput(str(root), "nothing played yet; leave out --judge")
    return tables(played, root, jobs, ablation)


def finished(runs: Sequence[Run], root: Path) -> list[Run]:
    """Those whose record is complete."""
    return [run for run in runs if (folder_of(run, root) / DONE).is_file()]


def judge_all(runs: Sequence[Run], root: Path, jobs: int) -> list[Outcome]:
    """Every outcome of every run."""
    found = joblib.Parallel(n_jobs=jobs)(joblib.delayed(judge)(run, root) for run in runs)
    return [outcome for outcomes in found for outcome in outcomes]


def tables(runs: Sequence[Run], root: Path, jobs: int, ablation: bool) -> str:
    """The tables of the protocol, for each part that was played."""
    outcomes = judge_all(runs, root, jobs)
    text = []
    for part in PARTS:
        of_part = [o for o in outcomes if o.part == part]
        if of_part:
            text.append(summary(of_part, f"Part: {part.replace('_', ' ')}"))
            text.append("Runs in which something was not right:\n\n" + every_run(of_part))
        if of_part and ablation:
            mine = [run for run in runs if run.case.part == part]
            text.append("F1 at the end of the runs, without one signal:\n\n")
            text[-1] += ablation_table(of_part, _ablated(mine, root, jobs))
    return "\n\n".join(text) + "\n"


def _ablated(
    runs: Sequence[Run], root: Path, jobs: int
) -> dict[tuple[str, int], dict[str, dict[str, str]]]:
    cut = joblib.delayed(without_signals)
    found = joblib.Parallel(n_jobs=jobs)(cut(run, root, SIGNALS) for run in runs)
    return {(run.case.name, run.seed): answers for run, answers in zip(runs, found, strict=True)}


def _play(runs: Sequence[Run], root: Path, jobs: int) -> None:
    console = Console(stderr=True, highlight=False, markup=False)
    left = len(runs) - len(finished(runs, root))
    bars = (TextColumn("{task.description}"), BarColumn(20), MofNCompleteColumn())
    with Progress(*bars, TimeRemainingColumn(), console=console) as progress:
        task = progress.add_task("playing", total=left)
        for run, seconds, problem in play_all(runs, root, jobs):
            progress.advance(task)
            if problem or not console.is_terminal:
                told = f"{run.case.name}, seed {run.seed}: {problem or f'{seconds:.0f} s'}"
                console.print(told, soft_wrap=True)
