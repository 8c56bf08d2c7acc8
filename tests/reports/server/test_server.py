"""The live server: it shows every run of a folder, follows new rows, and writes nothing."""

from __future__ import annotations

import os
import shutil
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
from bokeh.client import pull_session
from bokeh.models import ColumnDataSource
from PIL import Image
from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine

import gandiag
from gandiag.plugins.errors import BadInput
from gandiag.records.record import SIGNALS_FILE, Record, Row
from gandiag.records.writer import Recorder
from gandiag.reports.formatting import DIAGNOSES_FILE
from gandiag.reports.report import Report
from gandiag.reports.reporters.json import Json
from gandiag.reports.server.charts import ONSET
from gandiag.reports.server.dashboard import Dashboard
from gandiag.reports.server.guard import is_own_request
from gandiag.reports.server.runs import STALLED_AFTER, find_run, list_runs, summarize_run
from gandiag.reports.server.server import create_server
from gandiag.reports.server.tail import RecordTail
from tests.attachment.loops import build_loop
from tests.reports.conftest import serving

LOSS = "loss/value/generator"


def losses(first: int, last: int) -> list[Row]:
    """Rows of one signal."""
    return [Row(step, {LOSS: step / 10}) for step in range(first, last + 1, 10)]


def start_run(folder: Path, steps: int = 100) -> Recorder:
    """A run that is still written, with 200 planned steps."""
    recorder = Recorder(folder, {"steps": 200}, {})
    recorder.add(losses(10, steps))
    return recorder


@pytest.fixture
def finished(tmp_path: Path, failing: Report) -> Path:
    """A folder with one finished and diagnosed run."""
    assert failing.record.folder is not None
    shutil.copytree(failing.record.folder, tmp_path / "runs" / "0")
    Json().publish(failing, tmp_path / "runs" / "0")
    (tmp_path / "runs" / "0" / "report.html").write_text("<p>a page</p>")
    return tmp_path


@pytest.fixture
def address(finished: Path) -> Iterator[str]:
    """Address of a server of that folder."""
    with serving(finished) as place:
        yield place


def get(address: str, **headers: str) -> str:
    """The text of a page."""
    request = urllib.request.Request(address, headers=headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return str(answer.read().decode())


def refused(address: str, **headers: str) -> int:
    """The status with which a page is refused."""
    with pytest.raises(urllib.error.HTTPError) as caught:
        get(address, **headers)
    with caught.value:
        return caught.value.code


def test_tail_equals_the_record(tmp_path: Path) -> None:
    """A record read in several steps equals the whole record; an incomplete row is left out."""
    recorder = start_run(tmp_path)
    tail = RecordTail(tmp_path)
    assert tail.read_new_rows()
    assert not tail.read_new_rows()
    recorder.add(losses(110, 150))
    with (tmp_path / SIGNALS_FILE).open("a") as file:
        file.write('{"step": 160, "sig')
    assert tail.read_new_rows()
    whole = Record.load(tmp_path)
    np.testing.assert_array_equal(tail.record[LOSS].steps, whole[LOSS].steps)
    np.testing.assert_array_equal(tail.record[LOSS].values, whole[LOSS].values)
    assert tail.record.facts == whole.facts


@pytest.mark.parametrize("steps", [50, 300])
def test_new_run_in_the_same_folder_is_read_from_its_beginning(tmp_path: Path, steps: int) -> None:
    """A record that was started again, now shorter or longer, is not mixed with the old one."""
    start_run(tmp_path, 200)
    tail = RecordTail(tmp_path)
    tail.read_new_rows()
    start_run(tmp_path, steps)
    tail.read_new_rows()
    assert tail.record[LOSS].steps.tolist() == list(range(10, steps + 1, 10))


def test_damaged_line_costs_itself(tmp_path: Path) -> None:
    """A line that is no row, and a step that goes back, are left out."""
    for line in ("{}", '{"step": 5, "signals": {}}'):
        start_run(tmp_path)
        with (tmp_path / SIGNALS_FILE).open("a") as file:
            file.write(line + "\n")
        tail = RecordTail(tmp_path)
        tail.read_new_rows()
        assert tail.record.last_step == Record.load(tmp_path).last_step > 5


def test_list_shows_the_phase_of_each_run(finished: Path) -> None:
    """Each run is listed with its phase; a broken run does not affect the others."""
    start_run(finished / "now")
    start_run(finished / "early").add_environment(steps_played=100)
    start_run(finished / "broken")
    (finished / "broken" / SIGNALS_FILE).write_text("{}\n")
    (finished / "empty").mkdir()
    (finished / "empty" / SIGNALS_FILE).write_text("")
    found = {run.name: run for run in list_runs(finished)}
    states = {name: run.phase for name, run in found.items()}
    assert states == {
        "runs/0": "finished", "now": "running", "early": "ended early", "broken": "broken",
        "empty": "running",
    }  # fmt: skip
    assert (found["now"].step, found["now"].planned_steps) == (100, 200)
    assert found["runs/0"].statuses["mode_collapse"] == "present"
    assert not found["now"].statuses
    later = found["now"].changed + STALLED_AFTER + 1
    assert summarize_run(finished, finished / "now", later).phase == "stalled"


def test_attached_run_ends(tmp_path: Path) -> None:
    """The run of an attached loop is running until the loop is detached, then finished."""
    loop = build_loop("real_fake_then_generator")
    with gandiag.attach(*loop[:4], scores=loop.scores, folder=tmp_path / "mine") as watch:
        loop.train(loop, 20)
        assert len(watch.record.signals)
        (run,) = list_runs(tmp_path)
        assert run.phase == "running"
    (run,) = list_runs(tmp_path)
    assert (run.phase, run.step, run.planned_steps) == ("finished", 20, None)


def test_copied_run_keeps_its_diagnoses(finished: Path) -> None:
    """Diagnoses of a finished run are shown whatever the times of its files are."""
    os.utime(finished / "runs" / "0" / DIAGNOSES_FILE, (0, 0))
    (run,) = list_runs(finished)
    assert run.statuses["mode_collapse"] == "present"


def test_diagnoses_older_than_the_record_are_not_shown(finished: Path) -> None:
    """Diagnoses of an earlier run in the same folder do not belong to the current run."""
    start_run(finished / "runs" / "0")
    (run,) = list_runs(finished)
    assert not run.statuses


def test_dashboard_follows_new_rows(tmp_path: Path) -> None:
    """Each update shows the new rows; a chart appears with its first value."""
    recorder = start_run(tmp_path / "0")
    dashboard = Dashboard(tmp_path, ["0"])
    source = dashboard.root.select_one({"name": "0"})
    assert source.data["x"].tolist() == list(range(10, 101, 10))
    recorder.add([Row(110, {LOSS: float("nan"), "learning_signal/score_gradient/generator": 1.0})])
    dashboard.update()
    sources = list(dashboard.root.select({"type": ColumnDataSource}))
    assert sorted(len(source.data["x"]) for source in sources) == [1, 11]
    assert any("1 values are not finite" in plot.title.text for plot in dashboard._body.children)
    assert "running</span>, step 110 of 200" in dashboard._head.text


def test_runs_are_compared_by_signal(finished: Path) -> None:
    """With several runs, each signal has a chart, with a line for each run that recorded it."""
    start_run(finished / "other")
    dashboard = Dashboard(finished, ["runs/0", "other"])
    labels = {
        plot.title.text: [item.label.value for item in plot.legend[0].items]
        for plot in dashboard._body.children
    }
    assert labels["loss of the generator"] == ["runs/0", "other"]
    assert labels["loss of the discriminator"] == ["runs/0"]
    assert not any(mark.visible for mark in dashboard.root.select({"name": ONSET}))


def test_dashboard_survives_a_broken_run(tmp_path: Path) -> None:
    """A deleted record is reported on the dashboard, which recovers when the run comes back."""
    start_run(tmp_path / "0")
    dashboard = Dashboard(tmp_path, ["0"])
    shutil.rmtree(tmp_path / "0")
    dashboard.update()
    assert "cannot be read" in dashboard._head.text
    start_run(tmp_path / "0", 50)
    dashboard.update()
    assert "cannot be read" not in dashboard._head.text
    assert len(dashboard.root.select_one({"name": "0"}).data["x"]) == 5


def test_texts_of_a_run_are_escaped(tmp_path: Path, hostile: Report) -> None:
    """Texts of a run, also its name, are shown as text."""
    name = "<img src=x onerror=alert(1)>"
    assert hostile.record.folder is not None
    shutil.copytree(hostile.record.folder, tmp_path / name)
    head = Dashboard(tmp_path, [name])._head.text
    assert "<img src=x" not in head
    assert "&lt;img src=x" in head


@pytest.mark.parametrize("name", ["..", "/etc", "runs", "runs/0/samples", "no/such"])
def test_nothing_outside_is_served(finished: Path, name: str) -> None:
    """Only runs below the served folder are found."""
    with pytest.raises(BadInput):
        find_run(finished / "runs", name)


def test_pages_are_served(address: str, finished: Path) -> None:
    """List, dashboard, grids and report are served, and nothing is written."""
    before = {path: path.stat().st_mtime_ns for path in finished.rglob("*")}
    page = get(f"{address}/")
    assert "runs/0" in page
    assert "mode collapse: present" in page
    with urllib.request.urlopen(f"{address}/grid?run=runs/0&step=100", timeout=30) as answer:
        assert answer.read().startswith(b"\x89PNG")
    assert get(f"{address}/report?run=runs/0") == "<p>a page</p>"
    session = pull_session(url=f"{address}/dashboard", arguments={"run": "runs/0"})
    sources = session.document.select({"type": ColumnDataSource})
    assert [len(source.data["x"]) for source in sources] == [100] * 6
    session.close()
    assert refused(f"{address}/grid?run=../..") == 404
    assert refused(f"{address}/grid?run=runs/0&step=7") == 404
    assert {path: path.stat().st_mtime_ns for path in finished.rglob("*")} == before


PATHS = (
    *("/", "/grid?run=runs/0", "/report?run=runs/0", "/nowhere", "/favicon.ico"),
    *("/dashboard?run=runs/0", "/dashboard/ws", "/dashboard/autoload.js", "/dashboard/metadata"),
    *("/static/js/bokeh.min.js", "/dashboard/static/js/bokeh.min.js"),
)


@pytest.mark.parametrize("path", PATHS)
def test_other_sites_are_refused(address: str, path: str) -> None:
    """Every path refuses another host name (DNS rebinding), another origin, and embedding."""
    own = address.removeprefix("http://")
    for headers in (
        {"Host": "evil.example"},
        {"Host": f"evil.example:{own.partition(':')[2]}"},
        {"Host": "[::1"},
        {"Host": "127.0.0.1.evil.example"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:1"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "image"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Dest": "iframe"},
    ):
        assert refused(f"{address}{path}", **headers) == 403, headers


def test_own_requests_are_answered(address: str) -> None:
    """Typed addresses, links from other sites, tunnels and requests of own pages are answered."""
    own = address.removeprefix("http://")
    for headers in (
        {"Origin": f"http://{own}", "Sec-Fetch-Site": "same-origin"},
        {"Host": "localhost:8000", "Origin": "http://localhost:8000"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "document"},
        {"Sec-Fetch-Site": "none"},
    ):
        assert "runs/0" in get(f"{address}/", **headers)


@pytest.mark.parametrize(
    ("host", "name", "is_own"),
    [
        ("0.0.0.0", "192.168.1.5", True),
        ("0.0.0.0", "evil.example", False),
        ("0.0.0.0", socket.gethostname(), True),
        ("127.0.0.1", "192.168.1.5", False),
        ("::1", "[::1]", True),
    ],
)
def test_open_server_has_names_too(host: str, name: str, is_own: bool) -> None:
    """A server for other computers answers to addresses and its own name, to no other name."""
    request = HTTPServerRequest(
        headers=HTTPHeaders({"Host": f"{name}:5006"}),
        connection=Mock(),
        start_line=RequestStartLine("GET", "/", "HTTP/1.1"),
    )
    assert is_own_request(request, host) == is_own


def test_report_is_in_a_sandbox(address: str) -> None:
    """Scripts of a report belong to no site, so that they cannot read other runs."""
    with urllib.request.urlopen(f"{address}/report?run=runs/0", timeout=30) as answer:
        assert answer.headers["Content-Security-Policy"] == "sandbox allow-scripts"


def test_links_are_not_followed(finished: Path, address: str, tmp_path_factory: Any) -> None:
    """A file of a run that is a link to another folder is not served, whatever its name."""
    secret = tmp_path_factory.mktemp("secret")
    run = finished / "runs" / "0"
    Image.new("L", (9, 9)).save(secret / "secret.png")
    np.save(secret / "secret.npy", np.zeros((3, 2)))
    (secret / "secret.txt").write_text("secret")
    (run / "samples").mkdir(exist_ok=True)
    (run / "samples" / "step-00000007.png").symlink_to(secret / "secret.png")
    (run / "samples" / "step-00000008.npy").symlink_to(secret / "secret.npy")
    (run / "samples" / "step-00000009.png").write_text("no picture")
    (run / "report.html").unlink()
    (run / "report.html").symlink_to(secret / "secret.txt")
    for step in (7, 8, 9):
        assert refused(f"{address}/grid?run=runs/0&step={step}") == 404
    assert refused(f"{address}/report?run=runs/0") == 404
    linked = finished / "runs" / "linked"
    linked.mkdir()
    (linked / SIGNALS_FILE).symlink_to(run / SIGNALS_FILE)
    assert refused(f"{address}/grid?run=runs/linked") == 404
    assert {r.name: r.phase for r in list_runs(finished)}["runs/linked"] == "broken"


def test_bad_address_or_folder_is_an_error(address: str, finished: Path) -> None:
    """A port in use, or a missing folder, is an error of one line."""
    port = int(address.rsplit(":", 1)[1])
    with pytest.raises(BadInput, match=f"127.0.0.1:{port}: cannot listen there"):
        create_server(finished, port)
    with pytest.raises(BadInput, match="no such folder"):
        create_server(finished / "nowhere")
