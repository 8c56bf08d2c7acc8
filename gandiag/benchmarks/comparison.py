"""``gandiag bench compare``: how well a comparison uses the cores of this machine."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from joblib.externals.loky import get_reusable_executor
from rich.table import Table

from gandiag.comparison.compare import Plan, compare
from gandiag.comparison.parallel import Workers
from gandiag.comparison.scenarios import build_compared_scenarios
from gandiag.comparison.trial import run_trial
from gandiag.plugins.terminal import error_console, output_console, progress_bar
from gandiag.scenario.schema import Scenario

FIXES = ("r1", "spectral_norm", "more_discriminator_steps")  # With the baseline, four scenarios.
HEADS = ("runs", "in parallel", "threads each", "alone", "share", "whole", "ratio", "CPU ratio")
WARM_UP_STEPS = 20  # Steps of a run before the clock starts, which loads all modules and data.
# Small networks on points: a run takes seconds, so that the start of processes and the page are a
# visible share of the comparison.
RING = {
    "name": "ring",
    "data": {"ring": {"modes": 8}},
    "variant": {"vanilla": {"width": 64, "latent_size": 8}},
    "probes": {"units": False},
    "device": "cpu",
}


class Utilization(NamedTuple):
    """Time of the same runs one after another, and as a comparison.

    Attributes:
        run_seconds: seconds of each run by itself, in a process that has loaded everything.
        comparison_seconds: seconds of the comparison of these runs.
        parallel_runs: number of runs that the comparison trains at the same time.
        threads: number of torch threads of each run, in both cases.
        serial_cpu_seconds: seconds of the processor for the runs one after another.
        comparison_cpu_seconds: seconds of the processor for the comparison, over all its processes.
    """

    run_seconds: tuple[float, ...]
    comparison_seconds: float
    parallel_runs: int
    threads: int
    serial_cpu_seconds: float
    comparison_cpu_seconds: float

    @property
    def ideal_seconds(self) -> float:
        """Least possible seconds of the comparison: the runs divided evenly among the workers."""
        return sum(self.run_seconds) / self.parallel_runs

    @property
    def ratio(self) -> float:
        """Seconds of the comparison over the least possible seconds; 1 is ideal."""
        return self.comparison_seconds / self.ideal_seconds

    @property
    def cpu_ratio(self) -> float:
        """Seconds of the processor for the comparison over those of the runs one by one."""
        return self.comparison_cpu_seconds / self.serial_cpu_seconds


def measure_utilization(steps: int, seeds: int, jobs: int) -> Utilization:
    """Train a baseline and three fixes, first one run after another, then as a comparison.

    Args:
        steps: generator steps of a run.
        seeds: number of runs of the baseline, and of each fix.
        jobs: number of runs of the comparison at the same time; 0 for one per core.
    """
    scenario = Scenario.parse({**RING, "training": {"steps": steps}})
    workers = Workers(jobs=jobs)
    with tempfile.TemporaryDirectory() as folder:
        cpu_start = _cpu_seconds()
        run_seconds = _time_single_runs(scenario, seeds, workers, Path(folder))
        # This also ends the worker processes, so that the comparison has to start its own.
        cpu_between, clock = _cpu_seconds(), time.perf_counter()
        compare(scenario, FIXES, Path(folder, "whole"), seeds=seeds, workers=workers)
        comparison_seconds = time.perf_counter() - clock
        cpu_end = _cpu_seconds()
    return Utilization(
        run_seconds,
        comparison_seconds,
        workers.parallel_tasks,
        workers.threads,
        cpu_between - cpu_start,
        cpu_end - cpu_between,
    )


def _cpu_seconds() -> float:
    """Seconds of the processor that this process and its ended children have used."""
    # Only children that have ended are counted, so the worker processes of joblib must end first.
    get_reusable_executor().shutdown(wait=True)
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def _time_single_runs(
    scenario: Scenario, seeds: int, workers: Workers, folder: Path
) -> tuple[float, ...]:
    warm_up = scenario.set({"training.steps": WARM_UP_STEPS})
    plan = Plan(warm_up, folder / "warm", 1, workers)
    run_trial(plan.trials(build_compared_scenarios(warm_up, FIXES)[:1], plan.seeds)[0])
    plan = Plan(scenario, folder / "alone", seeds, workers)
    trials = plan.trials(build_compared_scenarios(scenario, FIXES), plan.seeds)
    seconds = []
    with progress_bar(error_console()) as progress:
        task = progress.add_task("single runs", total=len(trials))
        for trial in trials:
            began = time.perf_counter()
            run_trial(trial)
            seconds.append(time.perf_counter() - began)
            progress.advance(task)
    return tuple(seconds)


def print_utilization(found: Utilization) -> None:
    """Print the measurement as a table; all times are in seconds."""
    table = Table(box=None, header_style="bold")
    for name in HEADS:
        table.add_column(name, justify="right")
    counts = (len(found.run_seconds), found.parallel_runs, found.threads)
    seconds = (sum(found.run_seconds), found.ideal_seconds, found.comparison_seconds)
    ratios = (found.ratio, found.cpu_ratio)
    table.add_row(*map(str, counts), *(f"{s:.1f}" for s in seconds), *(f"{r:.2f}" for r in ratios))
    output_console().print(table)
