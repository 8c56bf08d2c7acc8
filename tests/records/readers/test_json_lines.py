from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gandiag.plugins.errors import BadInput
from gandiag.records.readers.json_lines import JsonLines
from tests.records.readers.conftest import Game

D, G = "loss/value/discriminator", "loss/value/generator"


def lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Rows as JSON lines."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def rows_of(game: Game) -> list[dict[str, Any]]:
    """A game as rows that hold objects."""
    return [
        {"step": int(step), "losses": {"d": float(d), "g": float(g)}, "note": "x", "ok": True}
        for step, d, g in zip(*game, strict=True)
    ]


def test_nested_objects_are_read(tmp_path: Path, game: Game) -> None:
    """Numbers within objects are columns; text and switches are none."""
    record = JsonLines().read(lines(tmp_path / "log.jsonl", rows_of(game)), {})
    np.testing.assert_array_equal(record[D].steps, game.steps)
    np.testing.assert_array_equal(record[D].values, game.discriminator)
    assert record.environment["log"]["columns"]["generator_loss"] == "losses/g"


def test_players_may_write_in_turn(tmp_path: Path) -> None:
    """Lines that hold only one player's loss each are one log."""
    rows: list[dict[str, Any]] = [{"config": {"name": "x"}}]
    for step in range(5):
        rows += [{"step": step, "d_loss": step}, {"step": step, "g_loss": -step}]
    record = JsonLines().read(lines(tmp_path / "log.jsonl", rows), {})
    assert record[D].steps.tolist() == record[G].steps.tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("nested", [False, True])
def test_documents_are_read(tmp_path: Path, game: Game, nested: bool) -> None:
    """A document is a list of objects, or an object of lists, as a history is often kept."""
    path = tmp_path / "history.json"
    columns = {"iter": game.steps.tolist(), "d_loss": game.discriminator.tolist()}
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    path.write_text(json.dumps(rows if nested else columns))
    np.testing.assert_array_equal(JsonLines().read(path, {})[D].values, game.discriminator)


def test_special_numbers_are_read(tmp_path: Path) -> None:
    """NaN and infinities are data, as JSON's extension or as text."""
    path = tmp_path / "log.jsonl"
    path.write_text('{"d_loss": NaN}\n{"d_loss": "inf"}\n{"d_loss": -Infinity}\n{"d_loss": null}\n')
    np.testing.assert_array_equal(JsonLines().read(path, {})[D].values, [np.nan, np.inf, -np.inf])


def test_cut_line_is_left_out(tmp_path: Path) -> None:
    """A last line that was cut off is left out; one amid the file is a mistake, with its number."""
    path = tmp_path / "log.jsonl"
    path.write_text('{"d_loss": 1}\n{"d_loss": 2}\n{"d_lo')
    assert JsonLines().read(path, {})[D].values.tolist() == [1, 2]
    path.write_text('{"d_loss": 1}\n{"d_lo\n{"d_loss": 2}\n')
    with pytest.raises(BadInput, match=r"log.jsonl:2: not JSON"):
        JsonLines().read(path, {})


@pytest.mark.parametrize(("text", "told"), [("[1]\n", "not a JSON object"), ("{}\n", "no object")])
def test_other_json_is_refused(tmp_path: Path, text: str, told: str) -> None:
    """JSON that holds no numbers by name is one line."""
    path = tmp_path / "log.jsonl"
    path.write_text(text)
    with pytest.raises(BadInput, match=told):
        JsonLines().read(path, {})
