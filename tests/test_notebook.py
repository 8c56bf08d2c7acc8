"""Laws of what a notebook shows: the verdict, and nothing that came with a run as markup."""

from __future__ import annotations

import re

import pytest

import gandiag
from gandiag.diagnosis import Diagnosis
from gandiag.record import Record, Row
from gandiag.report import Report
from tests.attachment.loops import game

BAD = "<script>alert(1)</script>"


def report(status: str, summary: str = "It is so.") -> Report:
    """A report on one condition."""
    rows = [Row(step, {"loss/value/generator": float(step)}) for step in range(50)]
    found = Diagnosis("mode_collapse", status, summary, "total", 7)  # type: ignore[arg-type]
    return Report(None, Record.from_rows(rows), (found,))


@pytest.mark.parametrize("status", ["present", "absent", "inconclusive"])
def test_report_shows_itself(status: str) -> None:
    """Verdict, status, summary and losses are in what a notebook shows of a report."""
    shown = report(status)._repr_html_()
    for text in (f"mode collapse: {status} (total) since step 7", "It is so.", "<svg"):
        assert text in shown


def test_texts_are_no_markup() -> None:
    """What came with a run is only text, and nothing is loaded or run."""
    shown = report("present", BAD)._repr_html_()
    assert "<script" not in shown
    assert not re.search(r'(src|href)="(?!#)', shown)


def test_ids_differ_from_cell_to_cell() -> None:
    """Shown twice, no id of a figure stands twice in the notebook."""
    same = report("present")
    ids = [set(re.findall(r'\bid="([^"]+)"', same._repr_html_())) for _ in range(2)]
    assert ids[0]
    assert not ids[0] & ids[1]


def test_watch_shows_itself_while_it_runs() -> None:
    """A watch shows how it stands, in the middle of a loop and after it."""
    played = game("real_fake_then_generator")
    with gandiag.attach(*played[:4], scores=played.scores) as watch:
        played.play(played, 20)
        assert "a watch at step 20<br>" in watch._repr_html_()
    shown = watch._repr_html_()
    assert "step 20, detached" in shown
    assert "mode collapse: inconclusive" in shown
    assert "How sure the discriminator is" in shown
