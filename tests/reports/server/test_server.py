"""Laws of the live page: it reads whatever lies there, grows with it, and writes nothing."""

from __future__ import annotations

import os
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from bokeh.client import pull_session
from bokeh.models import ColumnDataSource

import gandiag
from gandiag.plugins.errors import BadInput
from gandiag.records.record import SIGNALS_FILE, Record, Row
from gandiag.records.writer import Recorder
from gandiag.reports.report import Report
from gandiag.reports.reporters.json import Json
from gandiag.reports.server.charts import ONSET
from gandiag.reports.server.dashboard import Dashboard
from gandiag.reports.server.runs import DIAGNOSES, STALLED_AFTER, find_run, list_runs, summarize_run
from gandiag.reports.server.server import create_server
from gandiag.reports.server.tail import RecordTail
from tests.attachment.loops import game
from tests.reports.conftest import serving

LOSS = "loss/value/generator"


def losses(first: int, last: int) -> list[Row]:
    """Rows of one signal."""
    return [Row(step, {LOSS: step / 10}) for step in range(first, last + 1, 10)]


def begun(folder: Path, steps: int = 100) -> Recorder:
    """A run that is being written, of 200 planned steps."""
    recorder = Recorder(folder, {"steps": 200}, {})
    recorder.add(losses(10, steps))
    return recorder


@pytest.fixture
def finished(tmp_path: Path, sick: Report) -> Path:
    """A folder with one run that is over and was judged."""
    assert sick.record.folder is not None
    shutil.copytree(sick.record.folder, tmp_path / "games" / "0")
    Json().publish(sick, tmp_path / "games" / "0")
    (tmp_path / "games" / "0" / "report.html").write_text("<p>a page</p>")
    return tmp_path


@pytest.fixture
def address(finished: Path) -> Iterator[str]:
    """Where that folder is served, by a thread of its own."""
    with serving(finished) as place:
        yield place


def get(address: str, **headers: str) -> str:
    """The text of a page."""
    asked = urllib.request.Request(address, headers=headers)
    with urllib.request.urlopen(asked, timeout=30) as answer:
        return str(answer.read().decode())


def refused(address: str, **headers: str) -> int:
    """The status with which a page is refused."""
    with pytest.raises(urllib.error.HTTPError) as caught:
        get(address, **headers)
    with caught.value:
        return caught.value.code


def test_growing_record_is_the_record(tmp_path: Path) -> None:
    """After any number of looks it holds what the whole file does, half lines left for later."""
    recorder = begun(tmp_path)
    growing = RecordTail(tmp_path)
    assert growing.read_new_rows()
    assert not growing.read_new_rows()
    recorder.add(losses(110, 150))
    with (tmp_path / SIGNALS_FILE).open("a") as file:
        file.write('{"step": 160, "sig')
    assert growing.read_new_rows()
    whole = Record.load(tmp_path)
    np.testing.assert_array_equal(growing.record[LOSS].steps, whole[LOSS].steps)
    np.testing.assert_array_equal(growing.record[LOSS].values, whole[LOSS].values)
    assert growing.record.facts == whole.facts


@pytest.mark.parametrize("steps", [50, 300])
def test_new_run_in_its_place_is_read_anew(tmp_path: Path, steps: int) -> None:
    """A record that was begun anew, shorter or longer by now, is not mixed with the old one."""
    begun(tmp_path, 200)
    growing = RecordTail(tmp_path)
    growing.read_new_rows()
    begun(tmp_path, steps)
    growing.read_new_rows()
    assert growing.record[LOSS].steps.tolist() == list(range(10, steps + 1, 10))


def test_damaged_record_is_told(tmp_path: Path) -> None:
    """A line that is none, and steps that go back, are told and not guessed at."""
    for line in ("{}", '{"step": 5, "signals": {}}'):
        begun(tmp_path)
        with (tmp_path / SIGNALS_FILE).open("a") as file:
            file.write(line + "\n")
        with pytest.raises(BadInput):
            RecordTail(tmp_path).read_new_rows()


def test_state_is_told(finished: Path) -> None:
    """Each run is listed with its state, whatever the others are like."""
    begun(finished / "now")
    begun(finished / "early").add_environment(steps_played=100)
    begun(finished / "broken")
    (finished / "broken" / SIGNALS_FILE).write_text("{}\n")
    (finished / "empty").mkdir()
    (finished / "empty" / SIGNALS_FILE).write_text("")
    found = {run.name: run for run in list_runs(finished)}
    states = {name: run.phase for name, run in found.items()}
    assert states == {
        "games/0": "finished", "now": "running", "early": "ended early", "broken": "broken",
        "empty": "running",
    }  # fmt: skip
    assert (found["now"].step, found["now"].planned_steps) == (100, 200)
    assert found["games/0"].statuses["mode_collapse"] == "present"
    assert not found["now"].statuses
    later = found["now"].changed + STALLED_AFTER + 1
    assert summarize_run(finished, finished / "now", later).phase == "silent"


def test_attached_run_ends(tmp_path: Path) -> None:
    """A run of somebody's own loop is running while it is watched, and over once it is not."""
    played = game("real_fake_then_generator")
    with gandiag.attach(*played[:4], scores=played.scores, folder=tmp_path / "mine") as watch:
        played.play(played, 20)
        assert len(watch.record.signals)
        (run,) = list_runs(tmp_path)
        assert run.phase == "running"
    (run,) = list_runs(tmp_path)
    assert (run.phase, run.step, run.planned_steps) == ("finished", 20, None)


def test_copied_run_keeps_its_judgement(finished: Path) -> None:
    """A copy of a run that is over may have any times; what was found in it still stands."""
    os.utime(finished / "games" / "0" / DIAGNOSES, (0, 0))
    (run,) = list_runs(finished)
    assert run.statuses["mode_collapse"] == "present"


def test_judgement_older_than_its_record_is_not_shown(finished: Path) -> None:
    """What was found in an earlier run of the same folder says nothing about this one."""
    begun(finished / "games" / "0")
    (run,) = list_runs(finished)
    assert not run.statuses


def test_board_grows(tmp_path: Path) -> None:
    """Each look shows what was written since; a chart comes with its first number."""
    recorder = begun(tmp_path / "0")
    board = Dashboard(tmp_path, ["0"])
    source = board.root.select_one({"name": "0"})
    assert source.data["x"].tolist() == list(range(10, 101, 10))
    recorder.add([Row(110, {LOSS: float("nan"), "learning_signal/score_gradient/generator": 1.0})])
    board.update()
    sources = list(board.root.select({"type": ColumnDataSource}))
    assert sorted(len(source.data["x"]) for source in sources) == [1, 11]
    assert any("1 values are not finite" in plot.title.text for plot in board._body.children)
    assert "running</span>, step 110 of 200" in board._head.text


def test_runs_stand_beside_each_other(finished: Path) -> None:
    """Of several runs each signal has a chart, with a line for each run that recorded it."""
    begun(finished / "other")
    board = Dashboard(finished, ["games/0", "other"])
    labels = {
        plot.title.text: [item.label.value for item in plot.legend[0].items]
        for plot in board._body.children
    }
    assert labels["Losses: loss/value/generator"] == ["games/0", "other"]
    assert labels["Losses: loss/value/discriminator"] == ["games/0"]
    assert not any(mark.visible for mark in board.root.select({"name": ONSET}))


def test_broken_run_breaks_no_board(tmp_path: Path) -> None:
    """A run that is damaged or taken away while it is looked at is told, and comes back."""
    begun(tmp_path / "0")
    board = Dashboard(tmp_path, ["0"])
    shutil.rmtree(tmp_path / "0")
    board.update()
    assert "cannot be read" in board._head.text
    begun(tmp_path / "0", 50)
    board.update()
    assert "cannot be read" not in board._head.text
    assert len(board.root.select_one({"name": "0"}).data["x"]) == 5


def test_texts_of_a_run_are_no_markup(tmp_path: Path, hostile: Report) -> None:
    """What came with a run is text, also in its name."""
    name = "<img src=x onerror=alert(1)>"
    assert hostile.record.folder is not None
    shutil.copytree(hostile.record.folder, tmp_path / name)
    head = Dashboard(tmp_path, [name])._head.text
    assert "<img src=x" not in head
    assert "&lt;img src=x" in head


@pytest.mark.parametrize("name", ["..", "/etc", "games", "games/0/samples", "no/such"])
def test_nothing_outside_is_served(finished: Path, name: str) -> None:
    """Only folders of runs below the one that is served have a name."""
    with pytest.raises(BadInput):
        find_run(finished / "games", name)


def test_pages_are_served(address: str, finished: Path) -> None:
    """List, board, sheets and report come over the wire, and nothing is written for them."""
    before = {path: path.stat().st_mtime_ns for path in finished.rglob("*")}
    page = get(f"{address}/")
    assert "games/0" in page
    assert "mode collapse: present" in page
    with urllib.request.urlopen(f"{address}/sheet?run=games/0&step=100", timeout=30) as answer:
        assert answer.read().startswith(b"\x89PNG")
    assert get(f"{address}/report?run=games/0") == "<p>a page</p>"
    session = pull_session(url=f"{address}/board", arguments={"run": "games/0"})
    sources = session.document.select({"type": ColumnDataSource})
    assert [len(source.data["x"]) for source in sources] == [100] * 6
    session.close()
    assert refused(f"{address}/sheet?run=../..") == 404
    assert refused(f"{address}/sheet?run=games/0&step=7") == 404
    assert {path: path.stat().st_mtime_ns for path in finished.rglob("*")} == before


def test_foreign_name_is_refused(address: str) -> None:
    """A page elsewhere that has its own name point here gets no answer."""
    assert refused(f"{address}/", Host="evil.example") == 403


def test_address_that_is_taken_is_told(address: str, finished: Path) -> None:
    """A port that somebody listens on, or a folder that is not there, is one clear line."""
    port = int(address.rsplit(":", 1)[1])
    with pytest.raises(BadInput, match=f"127.0.0.1:{port}: cannot listen there"):
        create_server(finished, port)
    with pytest.raises(BadInput, match="no such folder"):
        create_server(finished / "nowhere")
