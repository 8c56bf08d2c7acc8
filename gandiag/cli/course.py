"""``gandiag course``: trains the lessons of the course and writes its site."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gandiag.cli import options
from gandiag.cli.signals import find_exit_status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gandiag.benchmarks.course import LessonTask, Result
    from gandiag.reports.course.lesson import Lesson


@click.command()
@click.argument("lessons", required=False)
@click.option(
    "--seeds",
    type=click.IntRange(min=1),
    help="Runs of each lesson, with consecutive seeds. [1, and 5 with --check]",
)
@click.option("--check", is_flag=True, help="Exit 1 if a lesson does not show what it says.")
@click.option(
    "--outline",
    type=click.IntRange(min=5),
    metavar="MINUTES",
    help="Propose lessons for a class of this length, and train nothing.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("reports/course"),
    show_default=True,
    help="Folder of the runs and of the site.",
)
@options.jobs()
def course(
    lessons: str | None, seeds: int | None, check: bool, outline: int | None, out: Path, jobs: int
) -> int:
    """Train the lessons of a course on GANs, and write a site for students.

    LESSONS is a number, a range such as 5-9, or a name; without it, all lessons are trained.
    Each lesson is a shipped scenario (lessons/NN-NAME) with a text: a goal, a prediction to make,
    what to watch, and questions with hidden answers. The site opens from disk and needs no
    network. It has a handout, a worksheet, a key for teachers, and course.zip with all pages.

    \b
    gandiag course
    gandiag course 7-9
    gandiag course --outline 90
    gandiag course --check --jobs 2

    A finished run is kept: the same command trains only what is missing, also after Ctrl-C. --check
    compares each lesson's runs with the diagnoses and numbers that its text claims; a lesson holds
    if they hold in at least 4 of 5 seeds.

    Exit status: 0 done; 1 with --check, a lesson does not hold; 2 bad input; 130 interrupted.
    """
    from gandiag.benchmarks.course import list_tasks, run_lessons
    from gandiag.comparison.parallel import Workers, show_progress
    from gandiag.records.run_folder import format_path
    from gandiag.reports.course.lesson import list_lessons, select_lessons
    from gandiag.reports.course.site import write_site
    from gandiag.reports.saved_runs import reopen_report

    known = list_lessons()
    chosen = select_lessons(known, lessons) if lessons else known
    if outline is not None:
        _print_outline(chosen, outline)
        return 0
    # One thread for each run where several train at a time: more would only wait for one another.
    workers = Workers(jobs=jobs)
    seeds = seeds or (5 if check else 1)
    tasks = list_tasks(chosen, seeds, out / "runs", workers.threads)
    results: list[tuple[LessonTask, Result]] = []
    try:
        # Results are collected as they come, so that Ctrl-C loses none of the finished runs.
        for pair in show_progress(run_lessons(tasks, workers), len(tasks), _describe):
            results.append(pair)
    except KeyboardInterrupt as error:
        click.echo(
            "gandiag: stopped; finished runs are kept, and the same command goes on", err=True
        )
        return find_exit_status(error)
    # Further seeds serve the check alone: the site shows the run of seed 0.
    index = write_site(chosen, lambda run: reopen_report(out / "runs" / run.name / "0"), out)
    failing = _print_results(results) if check else 0
    click.echo(format_path(index))
    return int(failing > 0)


def _describe(task: LessonTask, result: Result) -> str:
    return f"{task.run.name} with seed {task.seed}, {result.seconds:.0f} s: {result.describe()}"


def _print_outline(lessons: Sequence[Lesson], minutes: int) -> None:
    """Print lessons for a class, each with the minute at which it begins."""
    from gandiag.reports.course.outline import propose_class

    slots = propose_class(lessons, minutes)
    for start, lesson in slots:
        click.echo(f"{start:4d}  {lesson.number:2d} {lesson.title} ({lesson.minutes} minutes)")
    used = sum(lesson.minutes for _, lesson in slots)
    click.echo(f"{used:4d}  end; {minutes - used} of {minutes} minutes are left for questions")


def _print_results(results: Sequence[tuple[LessonTask, Result]]) -> int:
    """Print in how many seeds each run shows what its lesson says; return how many do not hold."""
    from gandiag.benchmarks.course import WANTED_SHARE

    # A lesson holds by a share of its seeds, so a single unlucky seed does not fail a course.
    failing = 0
    for name in dict.fromkeys(sorted(task.run.name for task, _ in results)):
        of_run = [result for task, result in results if task.run.name == name]
        held = sum(result.holds for result in of_run)
        fails = held < WANTED_SHARE * len(of_run)
        failing += fails
        click.echo(f"{'FAILS' if fails else 'holds'}  {held} of {len(of_run)}  {name}")
    return failing
