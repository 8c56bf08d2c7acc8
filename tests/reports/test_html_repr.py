"""HTML in a notebook: of a report, of an attached loop, and of a loop while it trains."""

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
from tests.attachment.loops import build_loop

BAD = "<script>alert(1)</script>"
TITLE = "The discriminator's P(real) and AUC"


def report(status: str, summary: str = "It is so.") -> Report:
    """A report with one diagnosis."""
    rows = [Row(step, {"loss/value/generator": float(step)}) for step in range(50)]
    found = Diagnosis("mode_collapse", status, summary, "total", 7)  # type: ignore[arg-type]
    return Report(None, Record.from_rows(rows), (found,))


@pytest.mark.parametrize("status", ["present", "absent", "inconclusive"])
def test_notebook_shows_a_report(status: str) -> None:
    """The HTML of a report has its diagnosis, the summary and figures."""
    shown = report(status)._repr_html_()
    for text in (f"mode collapse: {status} (total) since step 7", "It is so.", "<svg"):
        assert text in shown


def test_texts_are_escaped() -> None:
    """Texts of a run are escaped, and the HTML loads and runs nothing."""
    shown = report("present", BAD)._repr_html_()
    assert "<script" not in shown
    assert not re.search(r'(src|href)="(?!#)', shown)


def test_ids_of_figures_are_unique() -> None:
    """A report that is shown twice has different ids of its figures each time."""
    same = report("present")
    ids = [set(re.findall(r'\bid="([^"]+)"', same._repr_html_())) for _ in range(2)]
    assert ids[0]
    assert not ids[0] & ids[1]


def test_notebook_shows_an_attached_loop() -> None:
    """The HTML of an attached loop shows its current state, during training and afterwards."""
    loop = build_loop("real_fake_then_generator")
    with gandiag.attach(*loop[:4], scores=loop.scores) as watch:
        loop.train(loop, 20)
        assert "Attached training loop at step 20<br>" in watch._repr_html_()
    shown = watch._repr_html_()
    assert "step 20, detached" in shown
    assert "mode collapse: inconclusive" in shown
    assert TITLE in shown


@pytest.fixture
def cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    """Outputs of an IPython cell: data, id of the output, and whether it is an update."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    displaypub = pytest.importorskip("IPython.core.displaypub")
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance()
    shell.display_pub = publisher = displaypub.CapturingDisplayPublisher()
    yield publisher.outputs
    InteractiveShell.clear_instance()


def test_notebook_updates_one_output(cell: list[dict[str, Any]]) -> None:
    """A followed loop is drawn again in one output, which shows the report at the end."""
    loop = build_loop("real_fake_then_generator")
    with gandiag.attach(*loop[:4], scores=loop.scores, followers=["notebook"]) as watch:
        loop.train(loop, 60)
    first, second, last = (cell[at]["data"]["text/html"] for at in (0, 1, -1))
    assert [each["update"] for each in cell] == [False, *[True] * (len(cell) - 1)]
    assert len({each["transient"]["display_id"] for each in cell}) == 1
    assert "attached loop, step 0" in first
    assert "<svg" not in first
    assert TITLE in second
    assert all(f"{d.condition.replace('_', ' ')}: {d.status}" in last for d in watch.diagnose()[:2])


def test_notebook_rests_between_updates(cell: list[dict[str, Any]]) -> None:
    """The charts are drawn with all rows so far, and not again before the rest is over."""
    follower = Notebook(seconds=1e-9)
    follower.begin(None, Path("mine"))
    for step in range(1, 4):
        follower._state.cell.next_time = 0.0  # the rest is over
        follower.follow([Row(step, {"loss/value/generator": float(step)})], step)
    titles = [each["data"]["text/plain"] for each in cell]
    assert titles == [f"mine, step {step}: no failure detected so far" for step in range(4)]
    follower._state.cell.next_time = float("inf")
    follower.follow([Row(4, {"loss/value/generator": 4.0})], 4)
    assert len(cell) == 4


def test_alert_is_shown_immediately(cell: list[dict[str, Any]]) -> None:
    """A failure that appears or ends is shown without waiting."""
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


def test_notebook_reporter_needs_a_notebook() -> None:
    """Outside a notebook, an error of one line names the reporter for a terminal."""
    with pytest.raises(BadInput, match="console"):
        Notebook().begin(None, None)
