"""Runs of lessons: trained once, kept, trained again after a change, and checked."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from gandiag.benchmarks.course import LessonTask, check_run, is_finished, list_tasks, run_lesson
from gandiag.cli.main import main
from gandiag.comparison.parallel import Workers
from gandiag.reports.course.lesson import LessonRun, list_lessons
from gandiag.scenario.schema import Scenario

SMALL = Scenario.parse(
    {
        "name": "01-small",
        "data": {"gaussian": {"samples": 64, "held_out": 32}},
        "variant": {"vanilla": {"width": 4, "latent_size": 2}},
        "training": {"steps": 20, "batch_size": 8},
        "expect": {"mode_collapse": "inconclusive"},
    }
)


@pytest.fixture
def task(tmp_path: Path) -> LessonTask:
    """A run of a few steps with one claim that holds and an expected diagnosis."""
    run = LessonRun("01-small", "", SMALL, ("confidence/auc/discriminator > -1",))
    return LessonTask(run, 0, tmp_path / "01-small" / "0")


def test_finished_run_is_kept(task: LessonTask) -> None:
    """A second call trains nothing; a changed setting trains again, a changed text does not."""
    assert not is_finished(task)
    assert run_lesson(task).holds
    written = (task.folder / "signals.jsonl").stat().st_mtime_ns
    corrected = task.run._replace(scenario=SMALL.set({"about": "A corrected text."}))
    assert run_lesson(task._replace(run=corrected)).holds
    assert (task.folder / "signals.jsonl").stat().st_mtime_ns == written
    longer = task.run._replace(scenario=SMALL.set({"training.steps": 21}))
    assert not is_finished(task._replace(run=longer))
    assert not is_finished(task._replace(seed=1))


def test_result_names_what_does_not_hold(task: LessonTask) -> None:
    """A wrong diagnosis and a wrong number are named with what was expected and found."""
    run_lesson(task)
    scenario = SMALL.set({"expect": {"mode_collapse": "present"}})
    wrong = LessonRun("01-small", "", scenario, ("confidence/auc/discriminator > 2",))
    result = check_run(task._replace(run=wrong))
    assert not result.holds
    assert "mode_collapse: expected present, found inconclusive" in result.describe()
    assert "confidence/auc/discriminator: expected > 2" in result.describe()


def test_tasks_go_seed_by_seed(tmp_path: Path) -> None:
    """All runs of a seed come before the next seed, each in a folder of its own."""
    lessons = list_lessons()[:4]
    tasks = list_tasks(lessons, 2, tmp_path, Workers(jobs=1).threads)
    runs = sum(len(lesson.runs) for lesson in lessons)
    assert [task.seed for task in tasks] == [0] * runs + [1] * runs
    assert len({task.folder for task in tasks}) == 2 * runs


def test_outline_trains_nothing(tmp_path: Path) -> None:
    """The outline prints lessons with their minutes, and writes no file."""
    out = tmp_path / "course"
    result = CliRunner().invoke(main, ["course", "--outline", "45", "--out", str(out)])
    assert result.exit_code == 0
    assert "Two networks" in result.output
    assert not out.exists()


@pytest.mark.parametrize("wanted", ["0", "99-100", "dirca"])
def test_unknown_lessons_are_refused(wanted: str) -> None:
    """A lesson that does not exist is bad input."""
    assert CliRunner().invoke(main, ["course", wanted]).exit_code == 2
