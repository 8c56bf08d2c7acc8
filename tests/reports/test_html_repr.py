"""Laws of what a notebook shows: the verdict, and nothing that came with a run as markup."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import gandiag
from gandiag.diagnosis.diagnosis import Diagnosis
from gandiag.plugins.errors import BadInput
from gandiag.records.record import Record, Row
from gandiag.reports.report import Report
from gandiag.reports.reporters.notebook import Notebook
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


@pytest.fixture
def cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    """What IPython puts below a cell, in its own words: data, id of the output, new or not."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    displaypub = pytest.importorskip("IPython.core.displaypub")
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance()
    shell.display_pub = publisher = displaypub.CapturingDisplayPublisher()
    yield publisher.outputs
    InteractiveShell.clear_instance()


def test_charts_grow_in_one_output(cell: list[dict[str, Any]]) -> None:
    """A watch that is followed draws itself anew in one place; its report stands there at last."""
    played = game("real_fake_then_generator")
    with gandiag.attach(*played[:4], scores=played.scores, followers=["notebook"]) as watch:
        played.play(played, 60)
    first, second, last = (cell[at]["data"]["text/html"] for at in (0, 1, -1))
    assert [each["update"] for each in cell] == [False, *[True] * (len(cell) - 1)]
    assert len({each["transient"]["display_id"] for each in cell}) == 1
    assert "a watch, step 0" in first
    assert "<svg" not in first
    assert "How sure the discriminator is" in second
    assert all(f"{d.condition.replace('_', ' ')}: {d.status}" in last for d in watch.diagnose()[:2])


def test_each_look_is_drawn_if_there_is_time(cell: list[dict[str, Any]]) -> None:
    """Charts hold all rows so far, and rest between two drawings for longer than they took."""
    follower = Notebook(seconds=1e-9)
    follower.begin(None, Path("mine"))
    for step in range(1, 4):
        follower._live.cell.next_time = 0.0  # as if the rest were over
        follower.follow([Row(step, {"loss/value/generator": float(step)})], step)
    titles = [each["data"]["text/plain"] for each in cell]
    assert titles == [f"mine, step {step}: nothing found so far" for step in range(4)]
    follower._live.cell.next_time = float("inf")
    follower.follow([Row(4, {"loss/value/generator": 4.0})], 4)
    assert len(cell) == 4


def test_alert_is_drawn_at_once(cell: list[dict[str, Any]]) -> None:
    """What has appeared is shown without waiting, and so is that it has cleared."""
    follower = Notebook(seconds=3600.0)
    follower.begin(None, Path("mine"))
    follower.follow([Row(1, {"loss/value/generator": 1.0})], 1)
    assert len(cell) == 1
    for status in ("present", "absent"):
        found = Diagnosis("mode_collapse", status, BAD, onset=7)
        follower.alert(found, 30)
        text = cell[-1]["data"]["text/html"]
        assert f"mode collapse: {status}" in text
        assert "<script" not in text
    assert cell[-1]["data"]["text/plain"].startswith("mine, step 30: ")


def test_elsewhere_it_says_so() -> None:
    """In a program that is no notebook, one line names the reporter for a terminal."""
    with pytest.raises(BadInput, match="console"):
        Notebook().begin(None, None)
