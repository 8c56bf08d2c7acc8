"""``gandiag bench compare``: how well a comparison fills the cores of this machine."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from joblib.externals.loky import get_reusable_executor
from rich.table import Table

from gandiag.comparison.compare import Plan, compare
from gandiag.comparison.scenarios import compared_scenarios
from gandiag.comparison.parallel import Workers
from gandiag.comparison.trial import run_trial
from gandiag.plugins.terminal import error_console, output_console, progress_bar
from gandiag.scenario.schema import Scenario

FIXES = ("r1", "spectral_norm", "more_discriminator_steps")  # with the untreated game four arms
HEADS = ("games", "at a time", "threads each", "alone", "share", "whole", "ratio", "CPU ratio")
WARM = 20  # steps of a game before the clock: it loads what every later one finds loaded
RING = {
    "name": "ring",
    "data": {"ring": {"modes": 8}},
    "variant": {"vanilla": {"width": 64, "latent_size": 8}},
    "probes": {"units": False},
    "device": "cpu",
}


class Filled(NamedTuple):
    """What games take, one by one and as a comparison.

    Attributes:
        alone: seconds of each game played by itself, in a process that has loaded everything.
        whole: seconds of the comparison of the same games.
        at_once: games that it plays at a time.
        threads: of each game, in both.
        cpu_alone: seconds of the processor for the games one by one.
        cpu_whole: the same for the comparison, all its processes together.
    """

    alone: tuple[float, ...]
    whole: float
    at_once: int
    threads: int
    cpu_alone: float
    cpu_whole: float

    @property
    def share(self) -> float:
        """Seconds that each of the players at a time has to play, were all to share alike."""
        return sum(self.alone) / self.at_once

    @property
    def ratio(self) -> float:
        """Seconds of the comparison over what it cannot take less than."""
        return self.whole / self.share

    @property
    def cpu_ratio(self) -> float:
        """The processor's seconds of the comparison over those of the games one by one."""
        return self.cpu_whole / self.cpu_alone


def measure(steps: int, seeds: int, jobs: int) -> Filled:
    """Play the games of four arms one by one, then as a comparison.

    Args:
        steps: of a game.
        seeds: of an arm.
        jobs: games of the comparison at a time; 0 for as many as there are cores.
    """
    scenario = Scenario.parse({**RING, "training": {"steps": steps}})
    workers = Workers(jobs=jobs)
    with tempfile.TemporaryDirectory() as place:
        began = _cpu_seconds()
        alone = _alone(scenario, seeds, workers, Path(place))
        cpu_alone, between, clock = _cpu_seconds() - began, _cpu_seconds(), time.perf_counter()
        compare(scenario, FIXES, Path(place, "whole"), seeds=seeds, workers=workers)
        whole = time.perf_counter() - clock
        cpu_whole = _cpu_seconds() - between
    return Filled(alone, whole, workers.at_once, workers.threads, cpu_alone, cpu_whole)


def _cpu_seconds() -> float:
    """The processor's, of this process and of those that it began, which are ended for it."""
    get_reusable_executor().shutdown(wait=True)
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def _alone(scenario: Scenario, seeds: int, workers: Workers, place: Path) -> tuple[float, ...]:
    arms = compared_scenarios(scenario, FIXES)
    warm = Plan(scenario.set({"training.steps": WARM}), place / "warm", 1, workers)
    run_trial(warm.trials(arms[:1], warm.seeds)[0])
    plan = Plan(scenario, place / "alone", seeds, workers)
    games = plan.trials(arms, plan.seeds)
    found = []
    with progress_bar(error_console()) as progress:
        shown = progress.add_task("one by one", total=len(games))
        for game in games:
            began = time.perf_counter()
            run_trial(game)
            found.append(time.perf_counter() - began)
            progress.advance(shown)
    return tuple(found)


def print_table(found: Filled) -> None:
    """Print what was measured, all in seconds."""
    table = Table(box=None, header_style="bold")
    for name in HEADS:
        table.add_column(name, justify="right")
    numbers = (len(found.alone), found.at_once, found.threads)
    seconds = (sum(found.alone), found.share, found.whole)
    ratios = (found.ratio, found.cpu_ratio)
    written = (*(f"{value:.1f}" for value in seconds), *(f"{value:.2f}" for value in ratios))
    table.add_row(*map(str, numbers), *written)
    output_console().print(table)
