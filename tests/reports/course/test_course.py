"""The course: texts of the lessons, claims, outline, and the site that opens from disk."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gandiag.plugins.errors import BadInput
from gandiag.records.record import Record, Signal
from gandiag.reports.course.lesson import (
    Lesson,
    LessonRun,
    list_lessons,
    read_lesson,
    select_lessons,
)
from gandiag.reports.course.outline import propose_class
from gandiag.reports.course.site import ARCHIVE, write_site
from gandiag.reports.report import Report
from gandiag.scenario.schema import Scenario

TEXT = """---
minutes: 10
shown:
  - loss/value/generator < 2
compare:
  a twin:
    set: {training.steps: 700}
---
# A title

## Goal
One goal. More <b>text</b>.
## Idea
*An idea.*
## Predict
1. What?
## Watch
This.
## Questions
### Why?
Because of [this](https://example.org).
## Reading
- A paper.
"""


@pytest.fixture
def lesson(tmp_path: Path) -> Lesson:
    """A small lesson with two runs."""
    (tmp_path / "03-small.yaml").write_text("name: 03-small\ntraining: {steps: 600}\n")
    (tmp_path / "03-small.md").write_text(TEXT)
    return read_lesson(tmp_path / "03-small.yaml")


def test_lesson_is_read(lesson: Lesson) -> None:
    """Text, questions, and runs with their changed settings come from the two files."""
    assert (lesson.number, lesson.title, lesson.minutes) == (3, "A title", 10)
    assert [run.scenario.training.steps for run in lesson.runs] == [600, 700]
    assert [run.name for run in lesson.runs] == ["03-small", "03-small-2"]
    assert lesson.questions[0].text == "Why?"
    assert '<a href="https://example.org">' in lesson.questions[0].answer


def test_html_in_a_text_is_escaped(lesson: Lesson) -> None:
    """A text cannot bring its own markup or scripts into the page."""
    assert "<b>" not in lesson.parts["Goal"]
    assert "&lt;b&gt;" in lesson.parts["Goal"]


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("minutes: 10", "minute: 10", "minute"),
        ("< 2", "below 2", "shown.0"),
        ("## Idea", "## Thoughts", "in this order"),
        ("---\nminutes", "minutes", "begin with settings"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, old: str, new: str, problem: str) -> None:
    """A mistake in a text is one line with the file and the key or the part."""
    (tmp_path / "03-small.yaml").write_text("name: 03-small\n")
    (tmp_path / "03-small.md").write_text(TEXT.replace(old, new, 1))
    with pytest.raises(BadInput, match=r"03-small\.md") as error:
        read_lesson(tmp_path / "03-small.yaml")
    assert problem in str(error.value)


@pytest.mark.parametrize(("value", "holds"), [(1.0, True), (3.0, False), (np.nan, False)])
def test_claims_are_checked(lesson: Lesson, value: float, holds: bool) -> None:
    """A claim holds on the right side of its number, and not where nothing was measured."""
    steps, values = np.arange(8), np.full(8, value)
    record = Record({"loss/value/generator": Signal(steps, values)})
    assert [claim.holds for claim in lesson.runs[0].check(record)] == [holds]
    assert [claim.holds for claim in lesson.runs[0].check(Record({}))] == [False]


def test_shipped_lessons_are_complete() -> None:
    """Lessons count from 1; each lesson has questions, sources, and something to verify."""
    lessons = list_lessons()
    assert [each.number for each in lessons] == list(range(1, len(lessons) + 1))
    names = [each.name for each in lessons]
    for each in lessons:
        assert 2 <= len(each.questions) <= 4, each.name
        assert "https://" in each.parts["Reading"], each.name
        assert not any("TODO" in text for text in each.parts.values()), each.name
        assert 5 <= each.minutes <= 25, each.name
        # Only earlier lessons are known to a student.
        assert all(names.index(other) < names.index(each.name) for other in each.beside)
        assert each.runs[0].claims or each.runs[0].scenario.expect, each.name


def test_lessons_are_selected() -> None:
    """A number, a range and a name select lessons; anything else is refused with a suggestion."""
    lessons = list_lessons()
    assert [each.number for each in select_lessons(lessons, "2")] == [2]
    assert [each.number for each in select_lessons(lessons, "2-4")] == [2, 3, 4]
    assert select_lessons(lessons, lessons[0].name[3:]) == lessons[:1]
    with pytest.raises(BadInput, match="no such lesson"):
        select_lessons(lessons, "99")


@pytest.mark.parametrize("minutes", [5, 20, 45, 90, 1000])
def test_class_fits_its_time(minutes: int) -> None:
    """Lessons of a class follow one another in the order of the course, and fit its time."""
    slots = propose_class(list_lessons(), minutes)
    end = 0
    for slot in slots:
        assert slot.start == end
        end += slot.lesson.minutes
    assert end <= minutes
    assert [s.lesson.number for s in slots] == sorted(s.lesson.number for s in slots)
    if minutes == 1000:
        assert len(slots) == len(list_lessons())


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, failing: Report, plane: Report) -> Path:
    """The site of two lessons, one of images and one of points, from recorded runs."""
    lessons = list_lessons()[:2]
    reports = [plane, failing]

    def open_report(run: LessonRun) -> Report:
        return reports[int(run.name[:2]) - 1]

    return write_site(lessons, open_report, tmp_path_factory.mktemp("course")).parent


def test_links_lead_somewhere(site: Path) -> None:
    """Every relative link of every page leads to a file of the site, and the archive has all."""
    pages = sorted(site.rglob("*.html"))
    assert len(pages) >= 9
    for page in pages:
        for target in re.findall(r'href="([^"#]+)"', page.read_text(encoding="utf-8")):
            if not target.startswith(("https://", "http://", "data:")):
                assert (page.parent / target).is_file(), (page.name, target)
    with zipfile.ZipFile(site.parent / ARCHIVE) as archive:
        names = {name for name in archive.namelist() if name.endswith(".html")}
    assert names == {page.relative_to(site).as_posix() for page in pages}


def test_worksheet_hides_the_answers(site: Path) -> None:
    """The key has the answers, the worksheet only the questions."""
    answer = list_lessons()[0].questions[0].answer
    assert answer in (site / "key.html").read_text(encoding="utf-8")
    assert answer not in (site / "worksheet.html").read_text(encoding="utf-8")


@pytest.fixture
def tab(browser: Any, site: Path) -> Iterator[Any]:
    """The page of the first lesson on a phone, which collects its errors and requests."""
    context = browser.new_context(viewport={"width": 390, "height": 800})
    page = context.new_page()
    page.problems = []
    page.on("console", lambda message: page.problems.append(message.text))
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.on("request", lambda request: page.problems.append(request.url))
    page.goto((site / f"{list_lessons()[0].name}.html").as_uri())
    yield page
    context.close()


def test_viewer_steps_and_plays(tab: Any) -> None:
    """Buttons and the slider show one picture at a time, with the numbers of its step."""
    assert len(tab.problems) == 1  # the page itself
    shown = ".viewer .stage figure.current"
    visible = "[...document.querySelectorAll('.stage figure')].filter(f => f.offsetWidth).length"
    assert tab.evaluate(visible) == 1
    last = tab.get_attribute(shown, "data-step")
    tab.click('[data-do="back"]')
    assert int(tab.get_attribute(shown, "data-step")) < int(last)
    tab.focus('[data-do="seek"]')
    tab.keyboard.press("Home")
    first = tab.get_attribute(shown, "data-step")
    assert tab.text_content("[data-number=generator]").strip() != ""
    tab.select_option('[data-do="speed"]', "150")
    tab.click('[data-do="play"]')
    tab.wait_for_selector(f'{shown}:not([data-step="{first}"])')
    tab.click('[data-do="play"]')
    assert tab.text_content('[data-do="play"]') == "Play"
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390


def test_pages_are_accessible(tab: Any, site: Path) -> None:
    """axe-core finds no violation on the pages of the course."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    for name in (f"{list_lessons()[0].name}.html", "index.html", "key.html"):
        tab.goto((site / name).as_uri())
        found = axe.Axe().run(tab).response["violations"]
        assert [(each["id"], each["nodes"][0]["target"]) for each in found] == [], name


def test_settings_of_compared_runs_are_valid() -> None:
    """Each run of each lesson names plugins and options that exist."""
    from gandiag.training.components import Components

    for each in list_lessons():
        for run in each.runs:
            Components.from_scenario(run.scenario, run.name)
            assert run.scenario == Scenario.parse(run.scenario.as_data())
