"""Writes the site of the course: pages that open from disk, without a network or a server."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from markupsafe import Markup

from gandiag.records.storage import write_file
from gandiag.reports.course.lesson import Lesson, LessonRun
from gandiag.reports.course.run_view import RunView, build_run_view, draw_thumbnail
from gandiag.reports.page.glossary import GLOSSARY
from gandiag.reports.report import Report
from gandiag.reports.reporters.html import PACKAGE, render_page, render_template
from gandiag.reports.templates import read_text

ARCHIVE = "course.zip"

# Words of the lessons that the pages of single runs do not need.
WORDS = (
    ("Nash equilibrium", "a state in which neither network can lower its own loss alone"),
    ("minibatch", "the few samples of one training step; also called a batch"),
    ("logit", "a score before the sigmoid; P(real) is the sigmoid of D's logit"),
    ("BCE", "binary cross-entropy, -log P(real) for real and -log(1 - P(real)) for other samples"),
    ("gradient", "the derivatives of a loss by the weights, or by a sample: where to move next"),
    ("saturated", "so far on the flat part of a function that the derivative is near zero"),
    ("Lipschitz constant", "the largest ratio of the change of a score to the change of the input"),
    ("mode collapse", "the generator produces only a part of the data, or a single sample"),
    ("epoch", "one pass through the training data; a GAN is better counted in steps"),
)
GLOSSARY_OF_COURSE = tuple(sorted((*WORDS, *GLOSSARY), key=lambda entry: entry[0].lower()))


class _Entry(NamedTuple):
    """A lesson in the index: its teaser is the first sentence of its goal."""

    lesson: Lesson
    teaser: str
    thumbnail: str
    views: tuple[RunView, ...]


def write_site(
    lessons: Sequence[Lesson], open_report: Callable[[LessonRun], Report], folder: Path
) -> Path:
    """Write all pages, and an archive of them.

    Args:
        lessons: the lessons in their order.
        open_report: returns the report of a lesson's run.
        folder: folder of the site; its pages are replaced.

    Returns:
        The path of the index.
    """
    site = folder / "site"
    # Below `folder`, so that the records beside the site are neither shown nor archived.
    known = {lesson.name: lesson for lesson in lessons}
    entries = [_write_lesson(lesson, known, open_report, site) for lesson in lessons]
    for position, entry in enumerate(entries):
        neighbours = {
            "previous": entries[position - 1].lesson if position else None,
            "next": entries[position + 1].lesson if position + 1 < len(entries) else None,
        }
        _write_page(site / f"{entry.lesson.name}.html", "lesson", entry=entry, **neighbours)
    _write_page(site / "index.html", "index", entries=entries)
    _write_page(site / "glossary.html", "glossary", words=GLOSSARY_OF_COURSE)
    for name in ("handout", "worksheet", "key"):
        _write_page(site / f"{name}.html", "print", entries=entries, sort=name)
    # The archive lies beside the pages that it holds, so that it does not hold itself.
    shutil.make_archive(str(folder / ARCHIVE.removesuffix(".zip")), "zip", site)
    return site / "index.html"


def _write_lesson(
    lesson: Lesson,
    known: Mapping[str, Lesson],
    open_report: Callable[[LessonRun], Report],
    site: Path,
) -> _Entry:
    """Write the pages of a lesson's runs, and gather the lesson's own page."""
    views = []
    for run in lesson.runs:
        # One report at a time: the records of a whole course would need gigabytes of memory.
        report = open_report(run)
        write_file(_make_folder(site / "runs") / f"{run.name}.html", render_page(report, "student"))
        views.append(build_run_view(run, report, lesson))
    thumbnail = draw_thumbnail(open_report(lesson.runs[0]).record)
    for name in lesson.beside:
        if name in known:  # the course may have been made of some lessons only
            other = known[name]
            title = f"lesson {other.number}: {other.title}"
            views.append(build_run_view(other.runs[0], open_report(other.runs[0]), lesson, title))
    # The index shows one sentence, and no markup that could be cut in two.
    text = Markup(lesson.parts["Goal"]).striptags()
    return _Entry(lesson, re.split(r"(?<=[.?!]) ", text)[0], thumbnail, tuple(views))


def _write_page(path: Path, template: str, **parts: object) -> None:
    # Other pages run no script at all, and their security policy forbids any.
    scripts = [read_text(PACKAGE, "viewer.js")] if template == "lesson" else []
    text = render_template(
        f"course_{template}.html.j2",
        scripts,
        course_style=Markup(read_text(PACKAGE, "course.css")),
        **parts,
    )
    write_file(_make_folder(path.parent) / path.name, text)


def _make_folder(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
