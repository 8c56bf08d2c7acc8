from __future__ import annotations

from gandiag.diagnosis.detectors.mode_collapse import ModeCollapse
from gandiag.reports.page.lessons import list_thresholds, read_lesson
from gandiag.reports.report import Report


def test_story_is_the_modules(sick: Report) -> None:
    """The page teaches what the detector's own file says."""
    lesson = read_lesson(ModeCollapse())
    assert lesson.headline.startswith("Mode collapse:")
    assert [title for title, _ in lesson.parts][:2] == ["What you see", "Why it happens"]


def test_thresholds_are_those_that_were_set() -> None:
    """The value is the instance's, the reason that of the source."""
    rows = {row.name: row for row in list_thresholds(ModeCollapse(warm_up=77))}
    assert rows["warm_up"].value == "77"
    assert "steps" in rows["warm_up"].reason


def test_stranger_gets_a_table(sick: Report) -> None:
    """A detector outside the catalogue shows its values without reasons."""
    stranger = sick.detectors[1]
    assert list_thresholds(stranger)[0][:2] == ("gate", "0.5")
    assert list_thresholds(None) == ()
    assert read_lesson(None).parts == ()
