"""Chooses lessons for a class of a given length."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from gandiag.reports.course.lesson import Lesson


class Slot(NamedTuple):
    """A lesson in a class, and the minute at which it begins."""

    start: int
    lesson: Lesson


def propose_class(lessons: Sequence[Lesson], minutes: int) -> tuple[Slot, ...]:
    """Choose lessons that fit into a class, in the order of the course.

    Core lessons come first, then the others, each as early in the course as possible. A lesson that
    no longer fits is left out, and a shorter one may take its place.
    """
    # Taking lessons one by one is not optimal, but its result can be explained to a teacher: a
    # better filling of the last minutes would drop a core lesson for two unimportant ones.
    chosen: set[str] = set()
    left = minutes
    for lesson in sorted(lessons, key=lambda each: (not each.is_core, each.number)):
        if lesson.minutes <= left:
            chosen.add(lesson.name)
            left -= lesson.minutes
    # Each lesson builds on earlier ones, so the class keeps the order of the course.
    slots, start = [], 0
    for lesson in lessons:
        if lesson.name in chosen:
            slots.append(Slot(start, lesson))
            start += lesson.minutes
    return tuple(slots)
