"""``gandiag bench detection``: plays the labelled games, judges them, writes the tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import joblib

from gandiag.benchmarks.detection.cases import PARTS, chosen
from gandiag.benchmarks.detection.matching import Outcome, evaluate, without_signals
from gandiag.benchmarks.detection.play import DONE, Run, folder_of, run_cases
from gandiag.benchmarks.detection.tables import ablation_table, every_run, summary
from gandiag.monitoring.signals import (
    AUC,
    BACKPROP_GAIN,
    CLASS_HISTOGRAM,
    DISCRIMINATOR_GRADIENT,
    DISPLACEMENT,
    EFFECTIVE_MODES,
    ENERGY_DISTANCE,
    FIRST_TO_LAST,
    JS_DIVERGENCE,
    LATENT_SPREAD,
    MISSING_MASS,
    MODE_HISTOGRAM,
    PAIR_DISTANCE,
    PRECISION,
    RELATIVE_DISPLACEMENT,
    SCORE_GAP,
    SCORE_GRADIENT,
    SCORE_SD,
    WITHIN_MODE_VARIANCE,
)
from gandiag.plugins.errors import BadInput
from gandiag.plugins.terminal import error_console, progress_bar

SIGNALS = (
    SCORE_GRADIENT,
    DISCRIMINATOR_GRADIENT,
    SCORE_SD,
    BACKPROP_GAIN,
    FIRST_TO_LAST,
    DISPLACEMENT,
    RELATIVE_DISPLACEMENT,
    LATENT_SPREAD,
    EFFECTIVE_MODES,
    MISSING_MASS,
    JS_DIVERGENCE,
    WITHIN_MODE_VARIANCE,
    PRECISION,
    ENERGY_DISTANCE,
    PAIR_DISTANCE,
    MODE_HISTOGRAM,
    CLASS_HISTOGRAM,
    AUC,
    SCORE_GAP,
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


def evaluate_all(runs: Sequence[Run], root: Path, jobs: int) -> list[Outcome]:
    """Every outcome of every run."""
    found = joblib.Parallel(n_jobs=jobs)(joblib.delayed(evaluate)(run, root) for run in runs)
    return [outcome for outcomes in found for outcome in outcomes]


def tables(runs: Sequence[Run], root: Path, jobs: int, ablation: bool) -> str:
    """The tables of the protocol, for each part that was played."""
    outcomes = evaluate_all(runs, root, jobs)
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
    console = error_console()
    left = len(runs) - len(finished(runs, root))
    with progress_bar(console) as progress:
        task = progress.add_task("playing", total=left)
        for run, seconds, problem in run_cases(runs, root, jobs):
            progress.advance(task)
            if problem or not console.is_terminal:
                told = f"{run.case.name}, seed {run.seed}: {problem or f'{seconds:.0f} s'}"
                console.print(told, soft_wrap=True)
