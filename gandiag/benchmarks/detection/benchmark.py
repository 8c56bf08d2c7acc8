"""``gandiag bench detection``: trains the cases, evaluates the detectors, formats the tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import joblib

from gandiag.benchmarks.detection.cases import PARTS, select_cases
from gandiag.benchmarks.detection.matching import Outcome, diagnose_without_signals, evaluate_run
from gandiag.benchmarks.detection.runs import Run, is_finished, run_cases
from gandiag.benchmarks.detection.tables import format_ablation, format_errors, format_part
from gandiag.monitoring.signals import (
    AUC,
    BACKPROP_GAIN,
    CLASS_HISTOGRAM,
    DISCRIMINATOR_GRADIENT,
    DISPLACEMENT,
    EFFECTIVE_MODES,
    ENERGY_DISTANCE,
    FIRST_TO_LAST,
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

# Signals that the ablation removes, in the order of its rows.
ABLATED_SIGNALS = (
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
    WITHIN_MODE_VARIANCE,
    PRECISION,
    ENERGY_DISTANCE,
    PAIR_DISTANCE,
    MODE_HISTOGRAM,
    CLASS_HISTOGRAM,
    AUC,
    SCORE_GAP,
)


def run_benchmark(
    root: Path,
    names: Sequence[str] = (),
    part: str = "",
    seeds: int = 5,
    jobs: int = 1,
    train: bool = True,
    ablation: bool = False,
) -> str:
    """Train the missing runs, evaluate all runs, and return the tables as Markdown.

    Args:
        root: folder of the runs, which are kept between calls.
        names: cases or families; all if empty.
        part: one of `gandiag.benchmarks.detection.cases.PARTS`; all if empty.
        seeds: number of runs of each case, with the seeds 0, 1, ...
        jobs: number of processes, with one thread each.
        train: whether missing runs are trained; otherwise only finished runs are evaluated.
        ablation: whether the detectors are evaluated again without each signal.

    Raises:
        BadInput: there is no such case, or no run is finished.
    """
    cases = select_cases(names, part)
    # All cases of a seed come before the next seed, so an interrupted benchmark covers all cases.
    runs = [Run(case, seed) for seed in range(seeds) for case in cases]
    if train:
        _train_missing(runs, root, jobs)
    finished = [run for run in runs if is_finished(run, root)]
    if not finished:
        raise BadInput(str(root), "no finished run to evaluate; leave out --judge to train")
    return format_tables(finished, root, jobs, ablation)


def evaluate_runs(runs: Sequence[Run], root: Path, jobs: int) -> list[Outcome]:
    """Evaluate the detectors and the baseline rules on finished runs."""
    found = joblib.Parallel(n_jobs=jobs)(joblib.delayed(evaluate_run)(run, root) for run in runs)
    return [outcome for outcomes in found for outcome in outcomes]


def format_tables(runs: Sequence[Run], root: Path, jobs: int, ablation: bool) -> str:
    """Format the tables of the protocol for each part that has finished runs."""
    outcomes = evaluate_runs(runs, root, jobs)
    text = []
    for part in PARTS:
        of_part = [o for o in outcomes if o.part == part]
        if of_part:
            text.append(format_part(of_part, f"Part: {part.replace('_', ' ')}"))
            text.append("Runs with an error:\n\n" + format_errors(of_part))
        if of_part and ablation:
            runs_of_part = [run for run in runs if run.case.part == part]
            text.append("F1 at the end of the runs, without one signal:\n\n")
            text[-1] += format_ablation(of_part, _ablate(runs_of_part, root, jobs))
    return "\n\n".join(text) + "\n"


def _ablate(
    runs: Sequence[Run], root: Path, jobs: int
) -> dict[tuple[str, int], dict[str, dict[str, str]]]:
    diagnose = joblib.delayed(diagnose_without_signals)
    found = joblib.Parallel(n_jobs=jobs)(diagnose(run, root, ABLATED_SIGNALS) for run in runs)
    return {(run.case.name, run.seed): answers for run, answers in zip(runs, found, strict=True)}


def _train_missing(runs: Sequence[Run], root: Path, jobs: int) -> None:
    console = error_console()
    missing = sum(not is_finished(run, root) for run in runs)
    with progress_bar(console) as progress:
        task = progress.add_task("training", total=missing)
        for run, seconds, problem in run_cases(runs, root, jobs):
            progress.advance(task)
            if problem or not console.is_terminal:
                result = problem or f"{seconds:.0f} s"
                console.print(f"{run.case.name}, seed {run.seed}: {result}", soft_wrap=True)
