"""Explanations of failures and thresholds on a page come from the source of the detectors."""

from __future__ import annotations

from gandiag.diagnosis.detectors.mode_collapse import ModeCollapse
from gandiag.reports.page.lessons import list_thresholds, read_lesson
from gandiag.reports.report import Report


def test_lesson_is_the_module_docstring() -> None:
    """The page explains a failure with the docstring of the detector's module."""
    lesson = read_lesson(ModeCollapse())
    assert lesson.headline.startswith("Mode collapse:")
    assert [title for title, _ in lesson.parts][:2] == ["What you see", "Why it happens"]


def test_thresholds_have_the_values_of_the_run() -> None:
    """A threshold has the value of the detector's instance and the comment of its source."""
    rows = {row.name: row for row in list_thresholds(ModeCollapse(total=0.125))}
    assert rows["total"].value == "0.125"
    assert "modes" in rows["total"].reason


def test_third_party_detector_has_thresholds(failing: Report) -> None:
    """A detector that is not registered shows its values without comments."""
    third_party = failing.detectors[1]
    assert list_thresholds(third_party)[0] == ("threshold", "0.5", "")
    assert list_thresholds(None) == ()
    assert read_lesson(None).parts == ()
