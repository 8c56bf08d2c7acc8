from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from gandiag.plugins.errors import BadInput
from gandiag.records.readers.csv import Csv
from tests.records.readers.conftest import Game

D, G = "loss/value/discriminator", "loss/value/generator"


def written(path: Path, game: Game, separator: str, header: str = "iter,errD,errG") -> Path:
    """A game as a table of text."""
    lines = [header.replace(",", separator)]
    lines += [separator.join(map(repr, map(float, row))) for row in zip(*game, strict=True)]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize(
    ("name", "separator"),
    [("log.csv", ","), ("log.csv", ";"), ("log.tsv", "\t"), ("log.txt", "  "), ("log.csv", ", ")],
)
def test_separator_is_found(tmp_path: Path, game: Game, name: str, separator: str) -> None:
    """Commas, semicolons, tabs and spaces set columns apart; numbers come back to the last bit."""
    path = written(tmp_path / name, game, separator)
    assert Csv().recognises(path)
    record = Csv().read(path, {})
    np.testing.assert_array_equal(record[D].steps, game.steps)
    np.testing.assert_allclose(record[D].values, game.discriminator, rtol=1e-15)
    np.testing.assert_allclose(record[G].values, game.generator, rtol=1e-15)


def test_gzip_and_comments(tmp_path: Path, game: Game) -> None:
    """A gzipped table, with lines of comment before it, is read like any other."""
    plain = written(tmp_path / "log.csv", game, ",")
    path = tmp_path / "log.csv.gz"
    path.write_bytes(gzip.compress(b"# made by hand\n\n" + plain.read_bytes()))
    np.testing.assert_array_equal(Csv().read(path, {})[D].steps, game.steps)


def test_empty_is_not_nan(tmp_path: Path) -> None:
    """An empty cell holds no number; nan and inf are numbers that were logged."""
    path = tmp_path / "log.csv"
    path.write_text("step,d_loss,g_loss\n1,0.5,\n2,nan,1\n3,,\n4,inf,2\n5,-inf,3\n")
    record = Csv().read(path, {})
    assert record[D].steps.tolist() == [1, 2, 4, 5]
    np.testing.assert_array_equal(record[D].values, [0.5, np.nan, np.inf, -np.inf])
    assert record[G].steps.tolist() == [2, 4, 5]


def test_header_within_is_passed_over(tmp_path: Path) -> None:
    """A log that was written on with a second header is one log."""
    path = tmp_path / "log.csv"
    parts = (range(1, 21), range(11, 31))
    lines = [f"{step},{at + 0.5}" for at, part in enumerate(parts) for step in part]
    path.write_text("\n".join(["step,d_loss", *lines[:20], "step,d_loss", *lines[20:]]))
    steps, values = Csv().read(path, {})[D]
    assert steps.tolist() == list(range(1, 31))
    assert values.tolist() == [0.5] * 10 + [1.5] * 20


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "the file is empty"),
        ("step,d_loss\n", "the table has no rows"),
        ("name,word\na,b\n", "no column of the table has numbers"),
        ("step,fid\n1,2\n", "no column is recognised as the discriminator's loss"),
    ],
)
def test_bad_tables_are_refused(tmp_path: Path, text: str, told: str) -> None:
    """A table that cannot be used is one line with its name."""
    path = tmp_path / "log.csv"
    path.write_text(text)
    with pytest.raises(BadInput, match=f"^{path}: .*{told}"):
        Csv().read(path, {})


def test_damaged_gzip_is_refused(tmp_path: Path) -> None:
    """What is no gzip in spite of its name is one line."""
    path = tmp_path / "log.csv.gz"
    path.write_bytes(b"not gzip")
    with pytest.raises(BadInput, match="cannot be read"):
        Csv().read(path, {})
