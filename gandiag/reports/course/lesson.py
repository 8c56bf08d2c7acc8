"""Lessons: a scenario with the text that a student reads, and what its runs must show.

A lesson is two files in ``scenarios/lessons``: ``NN-name.yaml`` is a scenario, and ``NN-name.md``
has the text. The text begins with settings in YAML between two lines ``---``; its parts have
second-level headings; under *Questions*, each third-level heading is a question, and the text
below it is the answer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from markdown_it import MarkdownIt
from markupsafe import Markup
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gandiag.diagnosis.diagnosis import Evidence, compare_median
from gandiag.plugins.errors import BadInput, suggest_nearest
from gandiag.records.record import Record
from gandiag.scenario.schema import Scenario
from gandiag.scenario.shipped import list_shipped
from gandiag.scenario.yaml_positions import parse_yaml

FOLDER = "lessons/"  # prefix of the lessons among the shipped scenarios
# A prediction comes before the run: students learn more from a run that they first predicted
# (White and Gunstone 1992, Probing understanding: predict, observe, explain).
PARTS = ("Goal", "Idea", "Predict", "Watch", "Questions", "Reading")
# A claim is plain text, so that a teacher can write one without knowing Python.
_CLAIM = re.compile(r"(\S+/\S+) ([<>]) (-?[\d.]+(?:e-?\d+)?)")


class _Strict(BaseModel):
    # An unknown key is an error: a misspelt `shown` would otherwise claim nothing and always hold.
    model_config = ConfigDict(extra="forbid", frozen=True)


class _OtherRun(_Strict):
    """Another run of a lesson: changed values of the scenario, and what the run must show."""

    set: Mapping[str, Any]
    expect: Mapping[str, str] = {}
    shown: tuple[Annotated[str, Field(pattern=_CLAIM)], ...] = ()


class _Settings(_Strict):
    """Settings at the beginning of a lesson's text."""

    minutes: Annotated[int, Field(ge=1)]  # time of the lesson in class
    core: bool = False  # whether a short class should include the lesson
    shown: tuple[Annotated[str, Field(pattern=_CLAIM)], ...] = ()
    compare: Mapping[str, _OtherRun] = {}  # further runs by their title
    beside: tuple[str, ...] = ()  # earlier lessons whose runs are shown, too
    measure: tuple[str, ...] = ()  # signals that a table compares over all shown runs


class Question(NamedTuple):
    """A question as plain text, and its answer as HTML."""

    text: str
    answer: Markup


class LessonRun(NamedTuple):
    """A run of a lesson.

    Attributes:
        name: folder of its records below that of the course, such as ``07-x`` or ``07-x-2``.
        title: what distinguishes the run from the lesson's first one; empty for that one.
        scenario: the scenario; its `expect` holds the diagnoses that the run must get.
        claims: further outcomes, ``SIGNAL < NUMBER`` or ``SIGNAL > NUMBER`` each.
    """

    name: str
    title: str
    scenario: Scenario
    claims: tuple[str, ...]

    def check(self, record: Record) -> tuple[Evidence, ...]:
        """Compare the claims with a record: the median of the newest five values of a signal."""
        found = []
        for claim in self.claims:
            signal, relation, number = _CLAIM.fullmatch(claim).groups()  # type: ignore[union-attr]
            side: Any = relation
            found.append(compare_median(signal, record[signal].values, side, float(number)))
        return tuple(found)


class Lesson(NamedTuple):
    """A lesson of the course.

    Attributes:
        name: name of its files, such as ``07-vanishing-gradients``.
        title: first heading of the text.
        minutes: time of the lesson in class.
        is_core: whether a short class should include the lesson.
        parts: HTML of the parts of the text by heading, without the questions.
        questions: questions with answers.
        runs: the lesson's own run, then further runs that it is compared with.
        beside: names of earlier lessons whose first run is shown, too.
        measured: signals that a table compares over all runs; empty for no table.
    """

    name: str
    title: str
    minutes: int
    is_core: bool
    parts: Mapping[str, Markup]
    questions: tuple[Question, ...]
    runs: tuple[LessonRun, ...]
    beside: tuple[str, ...]
    measured: tuple[str, ...]

    @property
    def number(self) -> int:
        """Number of the lesson, from 1."""
        return int(self.name[:2])


def list_lessons() -> tuple[Lesson, ...]:
    """Read all lessons that come with gandiag, in their order."""
    paths = list_shipped()
    return tuple(
        read_lesson(path) for name, path in sorted(paths.items()) if name.startswith(FOLDER)
    )


def select_lessons(lessons: Sequence[Lesson], wanted: str) -> tuple[Lesson, ...]:
    """Select lessons by number, range of numbers or name: ``7``, ``5-9``, ``dirac``.

    Raises:
        BadInput: no lesson is meant.
    """
    numbers = re.fullmatch(r"(\d+)(?:-(\d+))?", wanted)
    if numbers:
        first, last = int(numbers[1]), int(numbers[2] or numbers[1])
        found = tuple(lesson for lesson in lessons if first <= lesson.number <= last)
    else:
        found = tuple(lesson for lesson in lessons if wanted in (lesson.name, lesson.name[3:]))
    if not found:
        names = [lesson.name[3:] for lesson in lessons]
        raise BadInput(wanted, f"no such lesson; {suggest_nearest(wanted, names)}")
    return found


def read_lesson(path: Path) -> Lesson:
    """Read the scenario of a lesson and the text beside it.

    Raises:
        BadInput: with the place of a mistake in either file.
    """
    text_path = path.with_suffix(".md")
    scenario = Scenario.load(path)
    written = re.fullmatch(r"---\n(.*?)\n---\n+# (.+?)\n(.*)", _read(text_path), re.DOTALL)
    if written is None:
        raise BadInput(str(text_path), "begin with settings between two lines ---, and a # title")
    # The parser of scenarios, as it names the line of a mistake and accepts no duplicate keys.
    data, _ = parse_yaml(written[1], str(text_path))
    try:
        settings = _Settings.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise BadInput(str(text_path), f"{key}: {first['msg']}") from error
    parts = _split(written[3], "## ")
    if tuple(parts) != PARTS:
        raise BadInput(str(text_path), f"the parts are {', '.join(PARTS)}, in this order")
    runs = [LessonRun(path.stem, "", scenario, settings.shown)]
    for number, (title, other) in enumerate(settings.compare.items(), start=2):
        # The name is the folder of the run, so no two runs of the course may share one. What the
        # lesson's own run must show does not hold for the others, which differ on purpose.
        name = f"{path.stem}-{number}"
        changed = scenario.set({**other.set, "name": name, "expect": dict(other.expect)})
        runs.append(LessonRun(name, title, changed, other.shown))
    questions = _split(parts.pop("Questions"), "### ").items()
    return Lesson(
        path.stem,
        written[2],
        settings.minutes,
        settings.core,
        {title: _render(text) for title, text in parts.items()},
        tuple(Question(text, _render(answer)) for text, answer in questions),
        tuple(runs),
        settings.beside,
        settings.measure,
    )


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").replace("\r\n", "\n")
    except OSError as error:
        raise BadInput(str(path), "the text of the lesson is missing") from error


def _split(text: str, mark: str) -> dict[str, str]:
    """Split a text at its headings, which begin with `mark`; text before the first is ignored."""
    blocks = re.split(rf"^{mark}", text, flags=re.MULTILINE)[1:]
    return {title.strip(): body for title, _, body in (block.partition("\n") for block in blocks)}


def _render(text: str) -> Markup:
    """Render Markdown with tables; HTML in the text is escaped, as it may come from others."""
    return Markup(MarkdownIt("commonmark", {"html": False}).enable("table").render(text))
