from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gandiag.plugins.errors import BadInput
from gandiag.records.readers.json_lines import JsonLines
from tests.records.readers.conftest import LoggedRun

D, G = "loss/value/discriminator", "loss/value/generator"


def write_lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Write rows as JSON lines and return the path."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def rows_of(logged_run: LoggedRun) -> list[dict[str, Any]]:
    """A run as rows with nested objects."""
    return [
        {"step": int(step), "losses": {"d": float(d), "g": float(g)}, "note": "x", "ok": True}
        for step, d, g in zip(*logged_run, strict=True)
    ]


def test_nested_objects_are_read(tmp_path: Path, logged_run: LoggedRun) -> None:
    """Numbers in nested objects are columns; texts and switches are not."""
    record = JsonLines().read(write_lines(tmp_path / "log.jsonl", rows_of(logged_run)), {})
    np.testing.assert_array_equal(record[D].steps, logged_run.steps)
    np.testing.assert_array_equal(record[D].values, logged_run.discriminator)
    assert record.environment["log"]["columns"]["generator_loss"] == "losses/g"


def test_networks_may_log_in_separate_lines(tmp_path: Path) -> None:
    """Lines that each have the loss of only one network are one log."""
    rows: list[dict[str, Any]] = [{"config": {"name": "x"}}]
    for step in range(5):
        rows += [{"step": step, "d_loss": step}, {"step": step, "g_loss": -step}]
    record = JsonLines().read(write_lines(tmp_path / "log.jsonl", rows), {})
    assert record[D].steps.tolist() == record[G].steps.tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("is_list", [False, True])
def test_documents_are_read(tmp_path: Path, logged_run: LoggedRun, is_list: bool) -> None:
    """A document is a list of objects or, as Keras keeps a history, an object of lists."""
    path = tmp_path / "history.json"
    columns = {"iter": logged_run.steps.tolist(), "d_loss": logged_run.discriminator.tolist()}
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    path.write_text(json.dumps(rows if is_list else columns))
    np.testing.assert_array_equal(JsonLines().read(path, {})[D].values, logged_run.discriminator)


DOCUMENTS: dict[str, Any] = {
    "history": {"history": {"d_loss": [0.5, 0.75], "g_loss": [1.5, 2.5]}, "epochs": 2},
    "networks": {"D": {"loss": [0.5, 0.75]}, "G": {"loss": [1.5, 2.5]}},
    "pairs": {"d_loss": [[0, 0.5], [9, 0.75]], "g_loss": [[0, 1.5], [9, 2.5]]},
    "triples": {
        "s": {"D/loss": [[1e9, 0, 0.5], [1e9, 9, 0.75]], "G/loss": [[1e9, 0, 1.5], [1e9, 9, 2.5]]}
    },
    "objects by step": {"0": {"d_loss": 0.5, "g_loss": 1.5}, "9": {"d_loss": 0.75, "g_loss": 2.5}},
    "columns by step": {"d_loss": {"0": 0.5, "9": 0.75}, "g_loss": {"0": 1.5, "9": 2.5}},
    "objects within": {
        "best": 1,
        "log": [{"d_loss": 0.5, "g_loss": 1.5}, {"d_loss": 0.75, "g_loss": 2.5}],
    },
    "rows with header": [["step", "d_loss", "g_loss"], [0, 0.5, 1.5], [9, 0.75, 2.5]],
    "Chainer": [
        {"dis/loss": 0.5, "gen/loss": 1.5, "epoch": 0, "iteration": 0, "elapsed_time": 1.0},
        {"dis/loss": 0.75, "gen/loss": 2.5, "epoch": 1, "iteration": 9, "elapsed_time": 2.0},
    ],
}


@pytest.mark.parametrize("name", DOCUMENTS)
@pytest.mark.parametrize("file", ["history.json", "log"])
def test_forms_of_documents_are_read(tmp_path: Path, name: str, file: str) -> None:
    """Lists, pairs, objects by step and lists of lists are read, with or without a suffix."""
    path = tmp_path / file
    path.write_text(json.dumps(DOCUMENTS[name], indent=2))
    assert JsonLines().recognises(path)
    record = JsonLines().read(path, {})
    assert record[D].values.tolist() == [0.5, 0.75]
    assert record[G].values.tolist() == [1.5, 2.5]
    has_steps = name not in ("history", "networks", "objects within")
    assert record[D].steps.tolist() == ([0, 9] if has_steps else [1, 2])


def test_console_text_is_no_json(tmp_path: Path) -> None:
    """Console text may begin with a bracket."""
    path = tmp_path / "log"
    for text in ("[1, 200] d_loss: 0.5\n", "[3/25][200/782]\tLoss_D: 0.5\n", "{'d_loss': 1}\n"):
        path.write_text(text)
        assert not JsonLines().recognises(path)


def test_special_numbers_are_read(tmp_path: Path) -> None:
    """NaN and infinities are read as numbers, bare as Python writes them or as strings."""
    path = tmp_path / "log.jsonl"
    path.write_text('{"d_loss": NaN}\n{"d_loss": "inf"}\n{"d_loss": -Infinity}\n{"d_loss": null}\n')
    np.testing.assert_array_equal(JsonLines().read(path, {})[D].values, [np.nan, np.inf, -np.inf])


def test_cut_line_is_left_out(tmp_path: Path) -> None:
    """An incomplete last line is left out; an earlier one is an error with its line number."""
    path = tmp_path / "log.jsonl"
    path.write_text('{"d_loss": 1}\n{"d_loss": 2}\n{"d_lo')
    assert JsonLines().read(path, {})[D].values.tolist() == [1, 2]
    path.write_text('{"d_loss": 1}\n{"d_lo\n{"d_loss": 2}\n')
    with pytest.raises(BadInput, match=r"log.jsonl:2: not JSON"):
        JsonLines().read(path, {})


@pytest.mark.parametrize(
    ("text", "message"), [("[1]\n", "not a JSON object"), ("{}\n", "no object")]
)
def test_other_json_is_refused(tmp_path: Path, text: str, message: str) -> None:
    """JSON without named numbers is an error."""
    path = tmp_path / "log.jsonl"
    path.write_text(text)
    with pytest.raises(BadInput, match=message):
        JsonLines().read(path, {})
