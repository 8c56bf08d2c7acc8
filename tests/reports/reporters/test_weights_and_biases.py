from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gandiag.plugins import registry as plugins
from gandiag.plugins.protocols import Follower, Reporter
from gandiag.reports.report import Report
from gandiag.reports.reporters.weights_and_biases import WeightsAndBiases
from tests.reports.conftest import rows

ROOT = Path(__file__).parents[3]
# W&B's own program: `wandb leet inspect` prints the log of an offline run.
WANDB = Path(sys.executable).with_name("wandb")


@pytest.fixture(autouse=True)
def _no_login(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Remove every login and setting of W&B on this machine."""
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")


def run_in_process(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run code in a separate process without standard input.

    W&B keeps settings, a service process and temporary folders for a process's whole life.
    """
    code = "import sys; sys.path[:0] = sys.argv[1:]\n" + textwrap.dedent(code)
    here = str(ROOT)
    return subprocess.run(
        [sys.executable, "-c", code, here],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, **environment},
        check=False,
    )


def records(folder: Path) -> Iterator[dict[str, Any]]:
    """Every entry in the log of the only run in a folder."""
    (log,) = folder.glob("wandb/offline-run-*/run-*.wandb")
    inspected = subprocess.run(
        [str(WANDB), "leet", "inspect", "--json", str(log)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if "No such command" in inspected.stderr:
        pytest.skip("this version of W&B cannot print the log of an offline run")
    inspected.check_returncode()
    return map(json.loads, inspected.stdout.splitlines())


PUBLISH = """
    from pathlib import Path
    from tests.reports.conftest import make_report
    from gandiag.reports.reporters.weights_and_biases import WeightsAndBiases
    folder = Path({folder!r})
    report = make_report(folder, failing=True)
    print(WeightsAndBiases({options}).publish(report, folder))
"""

FOLLOW = """
    from pathlib import Path
    from tests.reports.conftest import make_report, rows
    from gandiag.reports.reporters.weights_and_biases import WeightsAndBiases
    folder = Path({folder!r})
    report = make_report(folder, failing=True)
    (folder / "report.html").write_text("<p>the page</p>")
    reporter = WeightsAndBiases(group="seeds")
    reporter.begin(report.scenario, folder)
    reporter.follow(list(rows(500)), 500)
    reporter.alert(report.diagnoses[0], 400)
    reporter.follow([row for row in rows(1000) if row.step > 500], 1000)
    print(reporter.publish(report, folder))
    reporter.end()
    reporter.end()
"""


def test_saved_record_is_logged(tmp_path: Path) -> None:
    """Without a login there is no prompt, and the whole run is on disk."""
    folder = tmp_path / "run"
    done = run_in_process(PUBLISH.format(folder=str(folder), options=""))
    assert done.returncode == 0, done.stderr
    place = done.stdout.split(" (offline; to upload it: wandb sync ")[0].strip()
    assert Path(place).is_dir()
    text = "\n".join(json.dumps(record) for record in records(folder))
    for row in rows(1000):
        for name in row.signals:
            assert name in text
    assert "diagnosis/mode_collapse/status" in text


def test_run_is_logged_while_it_trains(tmp_path: Path) -> None:
    """Rows, sample grids, alert, summary, page and config are in the log once each."""
    folder = tmp_path / "run"
    done = run_in_process(FOLLOW.format(folder=str(folder)))
    assert done.returncode == 0, done.stderr
    text = [json.dumps(record) for record in records(folder)]
    everything = "\n".join(text)
    assert "discriminator_too_strong" in everything
    assert "mode collapse (total) since step 350" in everything
    assert "sample_grid_every" in everything
    assert "seeds" in everything
    media = folder.glob("wandb/offline-run-*/files/media/**/*.*")
    kinds = [path.name.split("_")[0] for path in media]
    assert kinds.count("generator") == 10
    assert kinds.count("real") == 1
    assert kinds.count("report") == 1
    history = [line for line in text if "loss/value/generator" in line and "history" in line]
    assert len(history) >= 100


ATTACHED = """
    import os
    os.chdir({folder!r})
    import gandiag
    from tests.attachment.loops import build_loop
    loop = build_loop("real_fake_then_generator")
    with gandiag.attach(*loop[:4], scores=loop.scores, followers=["weights_and_biases"]) as w:
        loop.train(loop, 60)
    print(*w.record.signals, sep="\\n")
"""


def test_attached_loop_is_logged(tmp_path: Path) -> None:
    """The reporter, given by name, logs a third-party loop: signals, page and diagnoses."""
    done = run_in_process(ATTACHED.format(folder=str(tmp_path)), PYTHONPATH=str(ROOT))
    assert done.returncode == 0, done.stderr
    assert "is removed from the followers" not in done.stderr
    text = "\n".join(json.dumps(record) for record in records(tmp_path))
    for name in done.stdout.split():
        assert name in text or name.startswith(("objective/", "inputs/"))
    assert "diagnosis/mode_collapse/status" in text
    assert "report.html" in text
    assert "environment" in text
    assert "mnist" not in text  # the default scenario is not logged as config


NOT_FINITE = """
    from pathlib import Path
    from gandiag.records.record import Row
    from gandiag.reports.reporters.weights_and_biases import WeightsAndBiases
    reporter = WeightsAndBiases(run_id="mine")
    reporter.begin(None, Path({folder!r}))
    reporter.follow([Row(0, {{"a": float("nan"), "b": float("inf"), "c": 1.0}})], 0)
    reporter.end()
"""


def test_non_finite_values_are_counted(tmp_path: Path) -> None:
    """NaN and infinity are logged, and a separate signal counts them."""
    done = run_in_process(NOT_FINITE.format(folder=str(tmp_path)))
    assert done.returncode == 0, done.stderr
    everything = list(records(tmp_path))
    (row,) = [record["history"]["item"] for record in everything if record["type"] == "history"]
    assert row["not_finite/all"] == 2
    assert (row["a"], row["b"], row["c"]) == ("NaN", "Infinity", 1)
    (run,) = [record["run"] for record in everything if record["type"] == "run"]
    assert run["run_id"] == "mine"


@pytest.mark.parametrize("options", ["mode='disabled'", "mode='offline'"])
def test_mode_is_used(options: str, tmp_path: Path) -> None:
    """The option `mode` counts, whatever the settings of the machine."""
    done = run_in_process(
        PUBLISH.format(folder=str(tmp_path), options=options), WANDB_API_KEY="0" * 40
    )
    assert done.returncode == 0, done.stderr
    assert ("disabled" if "disabled" in options else "wandb sync") in done.stdout


def test_online_without_a_key_is_offline(tmp_path: Path) -> None:
    """In mode online without a login, one warning says that the run is kept offline."""
    done = run_in_process(PUBLISH.format(folder=str(tmp_path), options="mode='online'"))
    assert done.returncode == 0, done.stderr
    assert "wandb sync" in done.stdout
    assert done.stderr.count("kept offline") == 1


def test_unresponsive_server_does_not_hang(tmp_path: Path) -> None:
    """If a server accepts the connection and never answers, the run is kept after the timeout."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(8)
        began = time.monotonic()
        done = run_in_process(
            PUBLISH.format(folder=str(tmp_path), options="timeout=3"),
            WANDB_API_KEY="0123456789" * 4,
            WANDB_BASE_URL=f"http://127.0.0.1:{server.getsockname()[1]}",
        )
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - began < 60
    assert "wandb sync" in done.stdout
    assert done.stderr.count("kept offline") == 1


def test_open_run_is_not_part_of_equality(failing: Report) -> None:
    """It is a reporter and a follower; equality and hash depend on the options alone."""
    made = plugins.build("reporters", "weights_and_biases", {"project": "mine"})
    assert isinstance(made, Reporter)
    assert isinstance(made, Follower)
    assert made == WeightsAndBiases(project="mine")
    assert made._state is made._state
    assert "_state" not in repr(made)
    assert hash(made) == hash(WeightsAndBiases(project="mine"))
    shown = plugins.describe("reporters", "weights_and_biases").options
    assert [option.name for option in shown] == [
        "project",
        "entity",
        "mode",
        "group",
        "run_id",
        "timeout",
    ]
    made.end()  # before any begin
    made.follow([], 0)
    made.alert(failing.diagnoses[0], 0)


def test_wandb_is_not_imported_early() -> None:
    """Building every reporter imports neither wandb nor torch."""
    done = run_in_process(
        """
        from gandiag.plugins import registry as plugins
        for name in plugins.list_names("reporters"):
            plugins.build("reporters", name)
        print(sorted({"wandb", "torch", "seaborn", "matplotlib"} & set(sys.modules)))
        """
    )
    assert done.stdout.strip() == "[]", done.stderr


def test_wandb_program_is_installed() -> None:
    """The tests above need W&B's own program."""
    assert WANDB.is_file() or shutil.which("wandb")
