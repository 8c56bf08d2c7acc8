from __future__ import annotations

import gzip
import time
from pathlib import Path

import numpy as np
import pytest

from gandiag.plugins.errors import BadInput
from gandiag.records.logs import parse_column_map, read_log
from gandiag.records.readers.csv import Csv
from tests.records.readers.conftest import LoggedRun

D, G = "loss/value/discriminator", "loss/value/generator"


def write_log(
    path: Path, logged_run: LoggedRun, separator: str, header: str = "iter,errD,errG"
) -> Path:
    """Write a run as a text table and return its path."""
    lines = [header.replace(",", separator)]
    lines += [separator.join(map(repr, map(float, row))) for row in zip(*logged_run, strict=True)]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize(
    ("name", "separator"),
    [("log.csv", ","), ("log.csv", ";"), ("log.tsv", "\t"), ("log.txt", "  "), ("log.csv", ", ")],
)
def test_separator_is_found(
    tmp_path: Path, logged_run: LoggedRun, name: str, separator: str
) -> None:
    """Commas, semicolons, tabs and spaces separate columns; numbers are read without loss."""
    path = write_log(tmp_path / name, logged_run, separator)
    assert Csv().recognises(path)
    record = Csv().read(path, {})
    np.testing.assert_array_equal(record[D].steps, logged_run.steps)
    np.testing.assert_allclose(record[D].values, logged_run.discriminator, rtol=1e-15)
    np.testing.assert_allclose(record[G].values, logged_run.generator, rtol=1e-15)


def test_gzip_and_comments(tmp_path: Path, logged_run: LoggedRun) -> None:
    """A gzipped table with comment lines before the header is read like any other table."""
    plain = write_log(tmp_path / "log.csv", logged_run, ",")
    path = tmp_path / "log.csv.gz"
    path.write_bytes(gzip.compress(b"# made by hand\n\n" + plain.read_bytes()))
    np.testing.assert_array_equal(Csv().read(path, {})[D].steps, logged_run.steps)


def test_empty_is_not_nan(tmp_path: Path) -> None:
    """An empty cell is a missing number; nan and inf are numbers that were logged."""
    path = tmp_path / "log.csv"
    path.write_text("step,d_loss,g_loss\n1,0.5,\n2,nan,1\n3,,\n4,inf,2\n5,-inf,3\n")
    record = Csv().read(path, {})
    assert record[D].steps.tolist() == [1, 2, 4, 5]
    np.testing.assert_array_equal(record[D].values, [0.5, np.nan, np.inf, -np.inf])
    assert record[G].steps.tolist() == [2, 4, 5]


def test_second_header_is_skipped(tmp_path: Path) -> None:
    """A log that was continued with a second header is one log."""
    path = tmp_path / "log.csv"
    parts = (range(1, 21), range(11, 31))
    lines = [f"{step},{at + 0.5}" for at, part in enumerate(parts) for step in part]
    path.write_text("\n".join(["step,d_loss", *lines[:20], "step,d_loss", *lines[20:]]))
    steps, values = Csv().read(path, {})[D]
    assert steps.tolist() == list(range(1, 31))
    assert values.tolist() == [0.5] * 10 + [1.5] * 20


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty"),
        ("step,d_loss\n", "the table has no rows"),
        ("name,word\na,b\n", "no column of the table has numbers"),
        ("step,lr\n1,2\n", "no column is recognised as the discriminator's loss"),
    ],
)
def test_bad_tables_are_refused(tmp_path: Path, text: str, message: str) -> None:
    """A table that cannot be read is an error that names the file."""
    path = tmp_path / "log.csv"
    path.write_text(text)
    with pytest.raises(BadInput, match=f"^{path}: .*{message}"):
        Csv().read(path, {})


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("semicolons.csv", "step;d_loss;g_loss\n1;0,5;1,5\n2;0,75;2,5\n"),
        ("tabs.txt", "step\td_loss\tg_loss\n1\t0,5\t1,5\n2\t0,75\t2,5\n"),
        ("preamble.csv", "run of Monday\nlr 0.1\nstep,d_loss,g_loss\n1,0.5,1.5\n2,0.75,2.5\n"),
        (
            "pandas.txt",
            "   step  d_loss  g_loss\n0     1    0.50     1.5\n1     2    0.75     2.5\n",
        ),
        (
            "table.md",
            "| step | d_loss | g_loss |\n|-|-|-|\n| 1 | 0.5 | 1.5 |\n| 2 | 0.75 | 2.5 |\n",
        ),
        ("sparse.csv", "step,d_loss,g_loss,fid,is\n1,0.5,1.5,,\n2,0.75,2.5,40,\n"),
        ("no_suffix", "step,d_loss,g_loss\n1,0.5,1.5\n2,0.75,2.5\n"),
    ],
)
def test_layouts_are_recognised(tmp_path: Path, name: str, text: str) -> None:
    """Decimal commas, preambles, printed tables and sparse columns are read by this reader."""
    path = tmp_path / name
    path.write_text(text)
    assert Csv().recognises(path)
    record = Csv().read(path, {})
    assert record[D].steps.tolist() == [1, 2]
    assert record[D].values.tolist() == [0.5, 0.75]
    assert record[G].values.tolist() == [1.5, 2.5]


@pytest.mark.parametrize("pairs", [["1=step", "2=d_loss"], ["step=1", "discriminator_loss=2"]])
def test_columns_without_header_are_numbered(tmp_path: Path, pairs: list[str]) -> None:
    """A table without header has the columns 1, 2, 3; the user says what they are."""
    path = tmp_path / "log.csv"
    path.write_text("0,0.5,1.5\n10,0.75,2.5\n20,nan,3.5\n")
    steps, values = Csv().read(path, parse_column_map(pairs))[D]
    assert steps.tolist() == [0, 10, 20]
    np.testing.assert_array_equal(values, [0.5, 0.75, np.nan])
    with pytest.raises(BadInput, match="columns without a name are numbered"):
        Csv().read(path, {})


def test_console_text_is_no_table(tmp_path: Path) -> None:
    """Text with numbers after names is left to the reader of console text, whatever its suffix."""
    path = tmp_path / "log.csv"
    path.write_text("step: 1, d_loss: 0.5\n" * 5)
    assert not Csv().recognises(path)


def test_damaged_gzip_is_refused(tmp_path: Path) -> None:
    """A file with the suffix .gz that is not gzipped is an error."""
    path = tmp_path / "log.csv.gz"
    path.write_bytes(b"not gzip")
    with pytest.raises(BadInput, match="cannot be read"):
        Csv().read(path, {})


@pytest.mark.parametrize("text", ["1,", "1,2\n", "\0", "[", "d: 1 "])
def test_bombs_are_refused_at_once(tmp_path: Path, text: str) -> None:
    """A small gzipped file that unpacks to 20 MB is refused in one line, whatever it holds."""
    path = tmp_path / "log.csv.gz"
    path.write_bytes(gzip.compress(text.encode() * (2 * 10**7 // len(text)), 1))
    with pytest.raises(BadInput, match="unzips to more than 100 times its size"):
        read_log(path)


def test_too_many_columns_are_refused(tmp_path: Path) -> None:
    """A row of thousands of cells is no log, and pandas would take minutes for it."""
    path = tmp_path / "log.csv"
    path.write_text("1," * 100_000 + "\n")
    with pytest.raises(BadInput, match=r"log.csv:1: has more than 2000 columns"):
        read_log(path)


def test_cut_file_is_one_line(tmp_path: Path) -> None:
    """A gzipped file that was cut is refused in one line."""
    whole = gzip.compress(b"".join(b"%d,0.5,1.%d\n" % (k, k * k) for k in range(2000)))
    (tmp_path / "log.csv.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BadInput, match=r"cannot be read: [^\n]+$"):
        read_log(tmp_path / "log.csv.gz")


def test_long_cells_take_no_time(tmp_path: Path) -> None:
    """The time to recognise a number grows with its digits, not with their square."""
    path = tmp_path / "log.csv"
    path.write_text("step,d_loss\n" + f"1,{'9' * 50_000}x\n" * 30)
    began = time.process_time()
    with pytest.raises(BadInput):
        read_log(path)
    assert time.process_time() - began < 5
