"""Trains the runs of the course's lessons, and checks what each lesson claims."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import torch

from gandiag.comparison.parallel import Workers, run_tasks
from gandiag.diagnosis.diagnosis import Evidence
from gandiag.plugins.errors import BadInput
from gandiag.records.record import Record
from gandiag.records.run_folder import clear_folder
from gandiag.reports.course.lesson import Lesson, LessonRun
from gandiag.reports.saved_runs import reopen_report
from gandiag.scenario.schema import Scenario
from gandiag.scenario.shipped import SCENARIO_FILE
from gandiag.training import pipeline

# A training run is random: a lesson holds where four of five seeds show what it says.
WANTED_SHARE = 0.8


class LessonTask(NamedTuple):
    """A run of a lesson with one seed, in a folder of its own."""

    run: LessonRun
    seed: int
    folder: Path
    threads: int = 1

    @property
    def scenario(self) -> Scenario:
        """The scenario with the seed; the course writes the pages, so that the run writes none."""
        return self.run.scenario.set({"seed": self.seed, "reporters": []})


class Result(NamedTuple):
    """What a finished run shows.

    Attributes:
        unexpected: (condition, expected, found) where a diagnosis is not the expected one.
        claims: further outcomes with their measured numbers.
        seconds: duration of the training; NaN for an unfinished record.
    """

    unexpected: tuple[tuple[str, str, str], ...]
    claims: tuple[Evidence, ...]
    seconds: float

    @property
    def holds(self) -> bool:
        """Whether every diagnosis is the expected one and every claim holds."""
        return not self.unexpected and all(claim.holds for claim in self.claims)

    def describe(self) -> str:
        """What does not hold, or ``as expected``."""
        wrong = [f"{name}: expected {want}, found {found}" for name, want, found in self.unexpected]
        wrong += [
            f"{claim.signal}: expected {claim.relation} {claim.threshold:g}, found "
            f"{claim.observed:.3g}"
            for claim in self.claims
            if not claim.holds
        ]
        return "; ".join(wrong) or "as expected"


def list_tasks(
    lessons: Sequence[Lesson], seeds: int, folder: Path, threads: int
) -> list[LessonTask]:
    """List all runs of some lessons, seed by seed, so that a partial course has every lesson."""
    return [
        LessonTask(run, seed, folder / run.name / str(seed), threads)
        for seed in range(seeds)
        for lesson in lessons
        for run in lesson.runs
    ]


def run_lessons(
    tasks: Sequence[LessonTask], workers: Workers
) -> Iterator[tuple[LessonTask, Result]]:
    """Train what is not yet trained, and yield each task with its result as soon as it has ended.

    Raises:
        BadInput: a scenario names something that does not exist.
        WorkersDied: worker processes keep dying.
    """
    yield from run_tasks(run_lesson, tasks, workers)


def run_lesson(task: LessonTask) -> Result:
    """Train a run of a lesson, unless its folder holds the finished run of the same scenario."""
    # Not the marker file of a comparison: a folder of `gandiag run` is a finished run as well.
    if not is_finished(task):
        clear_folder(task.folder)
        torch.set_num_threads(task.threads)
        pipeline.run(task.scenario, task.folder, place=task.run.name)
    return check_run(task)


def is_finished(task: LessonTask) -> bool:
    """Whether the folder holds the finished run of exactly this scenario and seed."""
    try:
        same = _without_texts(Scenario.load(task.folder / SCENARIO_FILE)) == _without_texts(
            task.scenario
        )
        steps = Record.load(task.folder).environment.get("steps_played")
    except (BadInput, OSError):  # no run yet, or a damaged one
        return False
    return same and steps == task.scenario.training.steps


def _without_texts(scenario: Scenario) -> Scenario:
    """The scenario without what does not change the run: corrected texts must not retrain it."""
    return scenario.model_copy(update={"about": "", "expect": {}})


def check_run(task: LessonTask) -> Result:
    """Diagnose a finished run with the current detectors, and compare it with its lesson."""
    report = reopen_report(task.folder)
    # The lesson's expectations, not the saved ones: a text may have been corrected since.
    found = {diagnosis.condition: diagnosis.status for diagnosis in report.diagnoses}
    unexpected = tuple(
        (condition, status, found.get(condition, "not evaluated"))
        for condition, status in task.run.scenario.expect.items()
        if found.get(condition) != status
    )
    seconds = float(report.record.environment.get("seconds", float("nan")))
    return Result(unexpected, task.run.check(report.record), seconds)
