"""Compares fixes with the baseline: trains each of them with every seed, several runs at a time."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from gandiag.comparison.analysis import compare_outcomes
from gandiag.comparison.json_data import write_comparison_json
from gandiag.comparison.outcome import Outcome
from gandiag.comparison.page import write_page
from gandiag.comparison.parallel import Workers, run_tasks, show_progress
from gandiag.comparison.results import Comparison
from gandiag.comparison.scenarios import (
    BASELINE,
    OLD_BASELINE,
    ComparedScenario,
    build_compared_scenarios,
)
from gandiag.comparison.trial import Trial, load_outcome, rediagnose, remove_attempts, run_trial
from gandiag.diagnosis.diagnosis import humanize
from gandiag.plugins.errors import BadInput
from gandiag.records.claim import Claim, is_used
from gandiag.reports.saved_runs import build_source
from gandiag.scenario.schema import Scenario
from gandiag.training.components import Components

COMPARISONS = Path("reports/compare")


class Plan:
    """The runs of a comparison: their seeds, folders, devices and workers.

    Args:
        scenario: the baseline.
        folder: folder of the comparison; each run has the folder ``NAME/SEED`` in it.
        seeds: number of seeds; the first is the scenario's own seed.
        workers: where the runs are trained.
        threads: number of torch threads of each run; 0 for its share of this machine's cores.
        reporters: names of reporters for each run, besides JSON.
    """

    def __init__(
        self,
        scenario: Scenario,
        folder: Path,
        seeds: int,
        workers: Workers,
        threads: int = 0,
        reporters: Sequence[str] = (),
    ) -> None:
        self.folder, self.workers = folder, _limit_to_gpus(workers)
        # Consecutive seeds, so that a later comparison with more seeds can resume this one.
        self.seeds = [scenario.seed + i for i in range(seeds)]
        # One number for all runs: the order of sums in torch, and so their rounding, depends on it.
        self.threads = threads or self.workers.threads
        self.reporters, self.group = tuple(reporters), folder.name
        self._devices = _list_devices(scenario, self.workers)

    def trials(self, compared: Sequence[ComparedScenario], seeds: Sequence[int]) -> list[Trial]:
        """Return the runs of some scenarios with some seeds.

        All scenarios of a seed come before the next seed, so that an interrupted comparison has
        complete pairs.
        """
        folder = self.folder.resolve()  # workers may have another current folder
        return [
            Trial(
                compared=each,
                seed=seed,
                folder=folder / each.name / str(seed),
                threads=self.threads,
                device=self._devices[index % len(self._devices)],
                reporters=self.reporters,
                group=self.group,
            )
            for index, (seed, each) in enumerate(itertools.product(seeds, compared))
        ]

    def validate(self, compared: Sequence[ComparedScenario], resume: bool, place: str) -> None:
        """Check scenarios and folder before anything is written.

        Args:
            compared: the scenarios.
            resume: whether the folder may hold an earlier comparison.
            place: what error messages name as the source of a mistake.

        Raises:
            BadInput: a scenario names something that does not exist, or the folder is in use.
        """
        for each in compared:
            # One seed is enough: names and options are the same for all seeds.
            Components.from_scenario(
                each.trial_scenario(self.seeds[0], self.reporters), f"{place} {each.name}".strip()
            )
        if self.folder.exists() and not self.folder.is_dir():
            raise BadInput(str(self.folder), "is a file; name a folder with --out")
        if not resume and is_used(self.folder):
            problem = "holds an earlier comparison; add --resume, or name another with --out"
            raise BadInput(str(self.folder), problem)

    def run(self, trials: Sequence[Trial]) -> Iterator[Outcome]:
        """Yield the outcomes of runs, in the order in which the runs end; finished runs are kept.

        The current detectors diagnose all runs, also those that an older version has trained.

        Raises:
            BadInput: a worker's files cannot be seen here, or a finished run's record is damaged.
            WorkersDied: workers keep dying, for example for lack of memory.
        """
        self._rename_old_baseline()
        finished: list[Trial] = []
        missing: list[Trial] = []
        for trial in trials:
            (missing if load_outcome(trial) is None else finished).append(trial)
        # Before any worker starts, so that no new attempt is removed.
        for trial in missing:
            remove_attempts(trial)
        rediagnosed = ((trial, rediagnose(trial)) for trial in finished)
        pairs = itertools.chain(rediagnosed, run_tasks(run_trial, missing, self.workers))
        for trial, outcome in show_progress(pairs, len(trials), _describe_outcome):
            # A worker on another machine may write to a disk that this machine does not have.
            if load_outcome(trial) is None:
                problem = "was written by a worker and cannot be seen here; use a shared disk"
                raise BadInput(str(trial.folder), problem)
            yield outcome

    def count_finished(self, compared: Sequence[ComparedScenario]) -> tuple[int, int]:
        """Return the number of finished runs, and the number of all runs."""
        trials = self.trials(compared, self.seeds)
        return sum(load_outcome(trial) is not None for trial in trials), len(trials)

    def _rename_old_baseline(self) -> None:
        old, new = self.folder / OLD_BASELINE, self.folder / BASELINE
        if old.is_dir() and not new.exists():
            old.rename(new)


def compare(
    scenario: Scenario | Path | str,
    fixes: Sequence[str],
    folder: Path | str | None = None,
    *,
    seeds: int = 10,
    workers: Workers | None = None,
    threads: int = 0,
    reporters: Sequence[str] = (),
    resume: bool = False,
    **changes: Any,
) -> Comparison:
    """Train a scenario with and without fixes over many seeds, and decide what the fixes do.

    Args:
        scenario: a scenario, its file, or the name of a shipped one: the baseline.
        fixes: names of fixes; several names joined by commas are applied together.
        folder: folder of the runs, the page and the JSON file; ``reports/compare/NAME`` if None.
        seeds: number of runs of the baseline and of each fix; the first run has the scenario's
            own seed.
        workers: where the runs are trained; processes on this machine if None.
        threads: number of torch threads of each run; 0 for its share of the cores.
        reporters: names of reporters for each run, such as ``weights_and_biases``.
        resume: whether finished runs in the folder are kept and only the missing ones are trained.
        **changes: values of the scenario to replace, by dotted key.

    Raises:
        BadInput: the message names the place of a mistake, or another comparison writes into the
            folder. Nothing has been written then.
        WorkersDied: workers keep dying, for example for lack of memory.
    """
    baseline = Scenario.from_source(build_source(scenario, changes))
    compared = build_compared_scenarios(baseline, fixes)
    place = Path(folder) if folder is not None else COMPARISONS / baseline.name
    plan = Plan(baseline, place, seeds, workers or Workers(), threads, reporters)
    plan.validate(compared, resume, baseline.name)
    with Claim(place, str(place)):
        outcomes = list(plan.run(plan.trials(compared, plan.seeds)))
        comparison = compare_outcomes(compared, outcomes, threads=plan.threads)
        write_comparison_json(comparison, place)
        write_page(comparison, place)
    return comparison


def _describe_outcome(trial: Trial, outcome: Outcome) -> str:
    present = [humanize(c) for c, s in outcome.statuses.items() if s == "present"]
    inconclusive = [humanize(c) for c, s in outcome.statuses.items() if s == "inconclusive"]
    text = ", ".join(present)
    if not present:
        text = f"inconclusive: {', '.join(inconclusive)}" if inconclusive else "no failure detected"
    return f"{trial.compared.name}, seed {trial.seed}: {text}"


def _limit_to_gpus(workers: Workers) -> Workers:
    """Return workers with no more runs at a time than fit on this machine's GPUs."""
    if not workers.gpus or workers.backend != "loky":  # a cluster limits its tasks itself
        return workers
    import torch  # imported here, as runs without GPUs do not need it

    gpus = torch.cuda.device_count()
    limit = int(gpus / workers.gpus)  # with half a GPU for each run, two runs share one
    if not limit:
        raise BadInput(f"--gpus-per-run {workers.gpus:g}", f"this machine has {gpus} GPUs")
    return replace(workers, jobs=min(workers.parallel_tasks, limit))


def _list_devices(scenario: Scenario, workers: Workers) -> list[str]:
    """List the devices that runs get in rotation; an empty name keeps the scenario's own device."""
    if not workers.gpus or scenario.device not in ("auto", "cuda"):
        return [""]
    if workers.backend != "loky":
        return ["cuda"]  # the cluster assigns a GPU to each run
    import torch

    return [f"cuda:{index}" for index in range(torch.cuda.device_count())]
