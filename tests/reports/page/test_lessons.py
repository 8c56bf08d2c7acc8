from __future__ import annotations

from gandiag.diagnosis.detectors.mode_collapse import ModeCollapse
from gandiag.reports.page.lessons import lesson_of, thresholds_of
from gandiag.reports.report import Report


def test_story_is_the_modules(sick: Report) -> None:
    """The page teaches what the detector's own file says."""
    lesson = lesson_of(ModeCollapse())
    assert lesson.headline.startswith("Mode collapse:")
    assert [title for title, _ in lesson.parts][:2] == ["What you see", "Why it happens"]


def test_thresholds_are_those_that_were_set() -> None:
    """The value is the instance's, the reason that of the source."""
    rows = {row.name: row for row in thresholds_of(ModeCollapse(warm_up=77))}
    assert rows["warm_up"].value == "77"
    assert "steps" in rows["warm_up"].reason


def test_stranger_gets_a_table(sick: Report) -> None:
    """A detector outside the catalogue shows its values without reasons."""
    stranger = sick.detectors[1]
    assert thresholds_of(stranger)[0][:2] == ("gate", "0.5")
    assert thresholds_of(None) == ()
    assert lesson_of(None).parts == ()
