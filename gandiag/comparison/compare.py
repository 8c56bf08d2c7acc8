"""Plays every arm with every seed, several at a time, and judges what came of it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from gandiag.comparison.analysis import compare_outcomes
from gandiag.comparison.outcome import Outcome
from gandiag.comparison.page import write_json, write_page
from gandiag.comparison.parallel import Workers, run_tasks, show_progress
from gandiag.comparison.results import Comparison
from gandiag.comparison.scenarios import ComparedScenario, build_compared_scenarios
from gandiag.comparison.trial import Trial, load_outcome, rediagnose, remove_attempts, run_trial
from gandiag.diagnosis.diagnosis import humanize
from gandiag.plugins.errors import BadInput
from gandiag.reports.saved_runs import build_source
from gandiag.scenario.schema import Scenario
from gandiag.training.components import Components

COMPARISONS = Path("reports/compare")


class Plan:
    """How the games of a comparison are played.

    Args:
        scenario: untreated.
        folder: where each game goes to a folder ``ARM/SEED``.
        seeds: how often each arm is played; the first has the scenario's own seed.
        workers: who plays.
        threads: of each game; 0 for its share of this machine's cores.
        reporters: asked for each game, beside JSON.
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
        self.seeds = [scenario.seed + i for i in range(seeds)]
        self.threads = threads or self.workers.threads
        self.reporters, self.group = tuple(reporters), folder.name
        self._devices = _list_devices(scenario, self.workers)

    def trials(self, arms: Sequence[ComparedScenario], seeds: Sequence[int]) -> list[Trial]:
        """Every arm with every seed; all arms of a seed before the next one."""
        names = [(arm, seed) for seed in seeds for arm in arms]
        place = self.folder.resolve()  # workers may be elsewhere in the same tree
        return [
            Trial(
                arm,
                seed,
                place / arm.name / str(seed),
                self.threads,
                self._devices[index % len(self._devices)],
                self.reporters,
                self.group,
            )
            for index, (arm, seed) in enumerate(names)
        ]

    def validate(self, arms: Sequence[ComparedScenario], resume: bool, place: str) -> None:
        """Raise `BadInput` for what could not be played, before anything is written."""
        for arm in arms:
            Components.from_scenario(
                arm.trial_scenario(self.seeds[0], self.reporters), f"{place} {arm.name}".strip()
            )
        if self.folder.exists() and not self.folder.is_dir():
            raise BadInput(str(self.folder), "is a file; name a folder with --out")
        if not resume and self.folder.is_dir() and any(self.folder.iterdir()):
            problem = "holds an earlier comparison; add --resume, or name another with --out"
            raise BadInput(str(self.folder), problem)

    def run(self, games: Sequence[Trial]) -> Iterator[Outcome]:
        """What comes of the games, in the order in which they end; what was played is kept.

        All are judged by the same detectors, also those that an older version played.
        """
        there: list[Trial] = []
        ahead: list[Trial] = []
        for game in games:
            (ahead if load_outcome(game) is None else there).append(game)
        for game in ahead:
            remove_attempts(game)
        again = ((game, rediagnose(game)) for game in there)
        pairs = itertools.chain(again, run_tasks(run_trial, ahead, self.workers))
        for game, outcome in show_progress(pairs, len(games), _describe_outcome):
            if load_outcome(game) is None:
                problem = "was written by a worker and cannot be seen here; use a shared disk"
                raise BadInput(str(game.folder), problem)
            yield outcome

    def count_finished(self, arms: Sequence[ComparedScenario]) -> tuple[int, int]:
        """How many games have been played, of how many."""
        games = self.trials(arms, self.seeds)
        return sum(load_outcome(game) is not None for game in games), len(games)


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
    """Play a scenario with and without fixes over many seeds, and judge what they do.

    Args:
        scenario: itself, its file, or the name of a shipped one.
        fixes: names of fixes, one arm each; several joined by commas are applied together.
        folder: where games, page and JSON go; ``reports/compare/NAME`` if None.
        seeds: how often each arm is played, from the scenario's own seed on.
        workers: who plays; processes on this machine if None.
        threads: of each game; 0 for its share of the cores.
        reporters: asked for each game, such as ``weights_and_biases``.
        resume: whether games that are there already are kept, and only the rest is played.
        **changes: values to replace, by dotted key.

    Raises:
        BadInput: naming the place of a mistake. Nothing has been written then.
    """
    chosen = Scenario.of(build_source(scenario, changes))
    arms = build_compared_scenarios(chosen, fixes)
    place = Path(folder) if folder is not None else COMPARISONS / chosen.name
    plan = Plan(chosen, place, seeds, workers or Workers(), threads, reporters)
    plan.validate(arms, resume, chosen.name)
    outcomes = list(plan.run(plan.trials(arms, plan.seeds)))
    found = compare_outcomes(arms, outcomes, threads=plan.threads)
    write_json(found, place)
    write_page(found, place)
    return found


def _describe_outcome(game: Trial, outcome: Outcome) -> str:
    present = [humanize(c) for c, s in outcome.statuses.items() if s == "present"]
    return f"{game.compared.name}, seed {game.seed}: {', '.join(present) or 'nothing found'}"


def _limit_to_gpus(workers: Workers) -> Workers:
    """No more games at a time than this machine's GPUs hold."""
    if not workers.gpus or workers.backend != "loky":
        return workers
    import torch

    room = int(torch.cuda.device_count() / workers.gpus)
    if not room:
        problem = f"there are {torch.cuda.device_count()} GPUs here"
        raise BadInput(f"--gpus-per-run {workers.gpus:g}", problem)
    return replace(workers, jobs=min(workers.parallel_tasks, room))


def _list_devices(scenario: Scenario, workers: Workers) -> list[str]:
    """The devices that games are dealt to in turn; a cluster hands out its own."""
    if not workers.gpus or scenario.device not in ("auto", "cuda"):
        return [""]
    if workers.backend != "loky":
        return ["cuda"]
    import torch

    return [f"cuda:{index}" for index in range(torch.cuda.device_count())]
