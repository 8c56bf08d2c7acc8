"""Exit statuses: a script can tell a result, bad input, the machine and a fault apart."""

from __future__ import annotations

import errno
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from gandiag.cli.main import main
from gandiag.comparison.clusters import WorkersDied
from gandiag.plugins.errors import BadInput
from gandiag.reports import saved_runs

SCENARIO = """\
data: {ring: {samples: 300, held_out: 200}}
variant: {vanilla: {width: 8}}
training: {steps: STEPS, batch_size: 32}
reporters: [json]
"""


class OutOfMemoryError(RuntimeError):
    """Has the name of torch's error."""


ERRORS: dict[str, tuple[BaseException, int, str]] = {
    "bad input": (BadInput("a.csv:3", "is odd"), 2, "a.csv:3: is odd"),
    "no such file": (FileNotFoundError(errno.ENOENT, "No such file", "x"), 2, "x: no such file"),
    "full disk": (OSError(errno.ENOSPC, "No space left", "x"), 4, "x: no space left"),
    "no permission": (PermissionError(errno.EACCES, "Permission denied", "x"), 4, "x: permission"),
    "memory": (MemoryError(), 4, "out of memory"),
    "memory of a GPU": (OutOfMemoryError("CUDA out of memory"), 4, "out of memory: CUDA"),
    "workers": (WorkersDied("workers keep dying"), 4, "workers keep dying"),
    "fault": (KeyError("name"), 70, "a fault of gandiag itself: KeyError: 'name' at "),
    "end of file": (EOFError("cut"), 70, "a fault of gandiag itself: EOFError: cut"),
    "Ctrl-C": (KeyboardInterrupt(), 130, ""),
}


@pytest.mark.parametrize(("error", "status", "text"), ERRORS.values(), ids=ERRORS)
def test_errors_have_a_status(
    error: BaseException, status: int, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each kind of error has its status and one line; --traceback shows where a fault arose."""

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(saved_runs, "reopen_report", fail)
    result = CliRunner().invoke(main, ["diagnose", "x"])
    assert result.exit_code == status
    lines = result.stderr.strip().splitlines()
    assert len(lines) == bool(text)
    assert all(line.startswith(f"gandiag: {text}") for line in lines)
    if status == 70:
        assert lines[0].endswith("--traceback shows more")
        shown = CliRunner().invoke(main, ["diagnose", "x", "--traceback"])
        assert shown.exit_code == status
        assert "Traceback (most recent call last)" in shown.stderr


def test_closed_pipe_is_no_diagnosis() -> None:
    """A reader such as ``head`` that closes the pipe does not make the status 1."""
    command = f"set -o pipefail; {sys.executable} -m gandiag list --json | head -c 1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode in (0, 141)
    assert done.stderr == ""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_signals_end_a_run_that_goes_on_later(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a signal, a run has record and reports; resumed, it has the signals of a whole one."""
    number = signal.Signals[name]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(SCENARIO.replace("STEPS", "1000"))
    command = [sys.executable, "-m", "gandiag", "run"]
    with subprocess.Popen([*command, "tiny.yaml"], cwd=tmp_path, stderr=subprocess.PIPE) as process:
        folder = tmp_path / "reports" / "tiny" / "0"
        path = folder / "signals.jsonl"
        while process.poll() is None and not (path.is_file() and path.stat().st_size):
            time.sleep(0.02)
        process.send_signal(number)
        _, stderr = process.communicate()
    assert process.returncode == 128 + number, stderr
    assert b"of 1000 steps; the record is kept" in stderr
    assert (folder / "diagnoses.json").is_file()
    for arguments in (["--resume", str(folder)], ["tiny.yaml", "--out", "whole"]):
        assert CliRunner().invoke(main, ["run", *arguments]).exit_code == 0
    assert path.read_bytes() == (tmp_path / "whole" / "signals.jsonl").read_bytes()
    again = CliRunner().invoke(main, ["run", "--resume", str(folder)])
    assert again.exit_code == 0
    assert "is complete" in again.output
    changed = CliRunner().invoke(main, ["run", "--resume", str(folder), "--seed", "3"])
    assert changed.exit_code == 2
