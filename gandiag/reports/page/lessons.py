"""Explanations from the source of a detector: its docstring, and the comments of its options."""

from __future__ import annotations

import dataclasses
import re
import sys
from typing import TYPE_CHECKING, NamedTuple

from gandiag.plugins import registry as plugins
from gandiag.plugins.errors import BadInput

if TYPE_CHECKING:
    from gandiag.plugins.protocols import Detector


class Lesson(NamedTuple):
    """The explanation of a failure.

    Attributes:
        headline: the failure in one sentence.
        parts: (title, text) of each paragraph, such as ("What you see", "The same few images ...").
    """

    headline: str
    parts: tuple[tuple[str, str], ...]


class Threshold(NamedTuple):
    """An option of a detector: name, value, and the comment with its unit and reason."""

    name: str
    value: str
    reason: str


def read_lesson(detector: Detector | None) -> Lesson:
    """Read the docstring of the detector's module; empty if there is no detector or docstring."""
    module = sys.modules.get(type(detector).__module__)
    return parse_lesson((module.__doc__ if module and detector else None) or "")


def parse_lesson(text: str) -> Lesson:
    r"""Split a module docstring into its headline and its paragraphs; markup is removed.

    >>> parse_lesson("A: b.\n\nWhat you see: the\nsame *one*.\n\nAnd again.").parts
    (('What you see', 'the same one.'), ('', 'And again.'))
    """
    paragraphs = [" ".join(block.split()) for block in text.strip().split("\n\n")]
    # Markup such as *word* and ``name`` is removed: the page shows plain text.
    paragraphs = [re.sub(r"(``?|\*\*?)(?=\S)(.+?)(?<=\S)\1", r"\2", each) for each in paragraphs]
    parts = []
    for paragraph in paragraphs[1:]:
        # A title is a short phrase before the first colon, such as "Why it happens: ...".
        titled = re.match(r"([A-Z][^:.]{2,30}): (.+)", paragraph)
        parts.append((titled[1], titled[2]) if titled else ("", paragraph))
    return Lesson(paragraphs[0], tuple(part for part in parts if part[1]))


def list_thresholds(detector: Detector | None) -> tuple[Threshold, ...]:
    """List the options of a detector, with their values and the comments of its source."""
    if detector is None or not dataclasses.is_dataclass(detector):
        return ()
    reasons = _read_option_comments(type(detector))
    return tuple(
        Threshold(
            field.name,
            str(getattr(detector, field.name)),
            reasons.get(field.name, "").replace("`", ""),
        )
        for field in dataclasses.fields(detector)
    )


def _read_option_comments(detector_class: type) -> dict[str, str]:
    """Comments of the options by name; empty for a class that is not a registered plugin."""
    for name in plugins.list_names("detectors"):
        # By class, not by name: a third-party class can have the name of a built-in one.
        try:
            is_same = plugins.load("detectors", name) is detector_class
        except BadInput:  # the page must not fail because of another, broken plugin
            continue
        if is_same:
            options = plugins.describe("detectors", name).options
            return {option.name: option.comment for option in options}
    return {}
