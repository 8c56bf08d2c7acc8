"""Readers of notebooks, and of the files and databases in which other tools keep their runs."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from gandiag.plugins.errors import BadInput
from gandiag.records.logs import read_log
from gandiag.records.readers.trackio import Trackio
from gandiag.records.record import Record
from tests.records.readers.conftest import LoggedRun

D, G = "loss/value/discriminator", "loss/value/generator"


def assert_same(record: Record, run: LoggedRun, reader: str) -> None:
    """Both losses of a record are those of the run, at its steps."""
    assert record.environment["log"]["reader"] == reader
    for signal, values in ((D, run.discriminator), (G, run.generator)):
        np.testing.assert_array_equal(record[signal].steps, run.steps)
        np.testing.assert_allclose(record[signal].values, values, rtol=1e-12)


def write_mlflow(folder: Path, run: LoggedRun) -> Path:
    """A run as MLflow's file store keeps it."""
    (folder / "metrics" / "train").mkdir(parents=True)
    (folder / "meta.yaml").write_text("run_id: 0a1b\n")
    for name, values in (("train/d_loss", run.discriminator), ("g_loss", run.generator)):
        lines = [
            f"1700000000000 {v!r} {s}\n" for s, v in zip(run.steps, map(float, values), strict=True)
        ]
        (folder / "metrics" / name).write_text("".join(lines))
    return folder


def test_mlflow_is_read(tmp_path: Path, logged_run: LoggedRun) -> None:
    """The folder of a run, and folders above a single run, are that run; several are an error."""
    run = write_mlflow(tmp_path / "mlruns" / "1" / "0a1b", logged_run)
    (tmp_path / "mlruns" / "1" / "meta.yaml").write_text("name: experiment\n")
    for path in (run, run.parent, run.parent.parent):
        assert_same(read_log(path), logged_run, "mlflow")
    write_mlflow(tmp_path / "mlruns" / "1" / "other", logged_run)
    with pytest.raises(BadInput, match=r"holds 2 runs; choose one, such as 1/0a1b, 1/other"):
        read_log(tmp_path / "mlruns")


def test_damaged_metric_is_named(tmp_path: Path, logged_run: LoggedRun) -> None:
    """A damaged line is named; an incomplete last line is left out."""
    file = write_mlflow(tmp_path, logged_run) / "metrics" / "g_loss"
    file.write_text(file.read_text() + "17000")
    assert_same(read_log(tmp_path), logged_run, "mlflow")
    file.write_text("1 0.5 1\n1 x 2\n1 0.5 3\n")
    with pytest.raises(BadInput, match=r"g_loss:2: not a time, a value and a step"):
        read_log(tmp_path)


def write_trackio(path: Path, runs: dict[str, LoggedRun]) -> Path:
    """A project as trackio keeps it, with one row for each step and NaN as text."""
    with sqlite3.connect(path) as connection:
        connection.execute(
            "CREATE TABLE metrics (id INTEGER PRIMARY KEY AUTOINCREMENT, run_id TEXT, "
            "timestamp TEXT, run_name TEXT, step INTEGER, metrics TEXT)"
        )
        for name, run in runs.items():
            rows = [
                (name, int(s), json.dumps({"loss": {"d": float(d), "g": float(g)}, "lr": "NaN"}))
                for s, d, g in zip(*run, strict=True)
            ]
            query = "INSERT INTO metrics (run_name, step, metrics) VALUES (?, ?, ?)"
            connection.executemany(query, rows)
    connection.close()
    return path


def test_trackio_is_read(tmp_path: Path, logged_run: LoggedRun) -> None:
    """The newest run of a project is read, or the one that the user chose."""
    other = logged_run._replace(discriminator=logged_run.discriminator + 1)
    path = write_trackio(tmp_path / "gan.db", {"first": other, "second": logged_run})
    record = read_log(path)
    assert_same(record, logged_run, "trackio")
    assert "The run is second; the other runs are first." in record.environment["log"]["notes"]
    assert_same(Trackio(run="first").read(path, {}), other, "trackio")
    assert not list(tmp_path.glob("gan.db-*"))


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE other (x)",
        "CREATE TABLE metrics (x)",
        "CREATE VIEW metrics AS WITH RECURSIVE c(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM c) "
        "SELECT id, 'a' AS run_name, id AS step, '{}' AS metrics FROM c",
    ],
)
def test_other_databases_are_refused(
    tmp_path: Path, statement: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another database is an error; so is a table that is a query without an end."""
    monkeypatch.setattr("gandiag.records.readers.trackio.MAX_SECONDS", 0.2)
    with sqlite3.connect(tmp_path / "a.db") as connection:
        connection.execute(statement)
    connection.close()
    with pytest.raises(BadInput, match="not a database of trackio"):
        read_log(tmp_path / "a.db")


def test_notebook_is_read(tmp_path: Path, logged_run: LoggedRun) -> None:
    """The cell with the most losses is read, whether its text is a string or a list of lines."""
    lines = [f"step {s} d_loss: {d!r} g_loss: {g!r}\n" for s, d, g in zip(*map(np.ndarray.tolist,
             logged_run), strict=True)]  # fmt: skip
    cells = [
        {"cell_type": "markdown", "source": ["d_loss: 1"]},
        {"outputs": [{"output_type": "stream", "text": "step 1 d_loss: 9\nstep 2 d_loss: 8\n"}]},
        {"outputs": [{"text": lines[:50]}, {"data": {"image/png": "12"}}, {"text": lines[50:]}]},
    ]
    path = tmp_path / "train.ipynb"
    path.write_text(json.dumps({"nbformat": 4, "cells": cells}))
    record = read_log(path)
    assert_same(record, logged_run, "notebook")
    note = "Cell 3 is read; cells with losses, too, are 2."
    assert note in record.environment["log"]["notes"]


@pytest.mark.parametrize("text", ["", "[]", "{", '{"cells": [1, {"outputs": 5}]}', '{"cells": 1}'])
def test_notebook_without_losses_is_refused(tmp_path: Path, text: str) -> None:
    """A notebook that printed no losses is an error of one line."""
    (tmp_path / "a.ipynb").write_text(text)
    with pytest.raises(BadInput, match="notebook"):
        read_log(tmp_path / "a.ipynb")


def test_files_of_trainers_are_read(tmp_path: Path, logged_run: LoggedRun) -> None:
    """The metrics of Lightning, and the state of a trainer of Hugging Face, are read."""
    path = tmp_path / "metrics.csv"
    # Lightning writes a row for each call of log; the other columns of the row are empty.
    rows = [
        f"0,{s},{d!r},\n0,{s},,{g!r}\n"
        for s, d, g in zip(*map(np.ndarray.tolist, logged_run), strict=True)
    ]
    path.write_text("epoch,step,train/d_loss_step,train/g_loss_step\n" + "".join(rows))
    assert_same(read_log(path), logged_run, "csv")
    path = tmp_path / "trainer_state.json"
    history = [
        {"epoch": 0.1, "step": int(s), "loss_d": float(d), "loss_g": float(g)}
        for s, d, g in zip(*logged_run, strict=True)
    ]
    state = {"best_metric": None, "eval_steps": 500, "log_history": history, "global_step": 9999}
    path.write_text(json.dumps(state, indent=2))
    assert_same(read_log(path), logged_run, "json_lines")
