"""Reads text tables: comma-, semicolon-, tab- and space-separated columns, also gzipped."""

from __future__ import annotations

import csv
import io
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gandiag.plugins.errors import BadInput
from gandiag.records.readers._table import Column, build_record
from gandiag.records.readers._text import read_head, read_text
from gandiag.records.record import Record

if TYPE_CHECKING:
    from pandas import Series


SEPARATORS = (";", ",", "\t", "|")
SPACES = r"\s+"
MAX_PREAMBLE = 200  # lines before the header that are searched for it
MAX_COLUMNS = 2000  # of a table; logs have tens, and pandas takes milliseconds for each
SAMPLE = 20  # lines from which the layout of a table is guessed
MIN_TABLE_SHARE = 0.5  # of the lines after the header have its number of cells
MAX_NAMED_SHARE = 0.2  # of these lines may have named numbers, as console text has
# Each digit can match in one way only; otherwise a cell of thousands of digits takes seconds.
_NUMBER = re.compile(
    r"[+-]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:e[+-]?\d+)?|[+-]?(?:nan|inf|infinity)", re.I
)
_DECIMAL_COMMA = re.compile(r"\d,\d")
#: A line of text with named numbers in it, which the reader `console` reads.
_NAMED_NUMBER = re.compile(r"[^\W\d_]['\")\]]?\s*[:=]\s*[\[(]?[+-]?\d")


class _Layout(NamedTuple):
    """How a table is written.

    Attributes:
        start: index of the line with the header, or of the first row.
        separator: of the columns; a regular expression for spaces.
        has_header: whether the first line has names, not numbers.
        decimal: the decimal sign of numbers.
        has_index: whether rows begin with a number for which the header has no name, as pandas
            prints them.
    """

    start: int
    separator: str
    has_header: bool
    decimal: str
    has_index: bool = False


@dataclass(frozen=True)
class Csv:
    """A text table: columns that are separated by commas, semicolons, tabs or spaces; also gzipped.

    Columns without a header are called 1, 2, 3, and so on. An empty cell is a missing number; the
    words nan and inf are numbers that were logged.
    """

    # Lines that begin with this text are comments and are skipped.
    comment: str = "#"

    def recognises(self, path: Path) -> bool:
        """Whether the file has a header, and lines with as many cells, or is called a table."""
        if not path.is_file():
            return False
        lines = read_head(path).splitlines()
        if self._find_layout(lines) is not None:
            return True
        is_called_table = path.name.lower().removesuffix(".gz").endswith((".csv", ".tsv"))
        return is_called_table and not _has_named_numbers(lines[:MAX_PREAMBLE])

    def read(self, path: Path, columns: Mapping[str, str]) -> Record:
        """Read the table; a line with more cells than the header is left out."""
        import pandas as pd

        lines = read_text(path).splitlines()
        if not any(line.strip() for line in lines):
            raise BadInput(str(path), "the file is empty")
        layout = self._find_layout(lines) or _Layout(self._skip(lines), ",", True, ".")
        if len(_split_cells(lines[layout.start], layout.separator)) > MAX_COLUMNS:
            raise BadInput(f"{path}:{layout.start + 1}", f"has more than {MAX_COLUMNS} columns")
        if layout.has_index:
            lines[layout.start] = f"index {lines[layout.start]}"
        try:
            with warnings.catch_warnings():
                # pandas warns of lines that are too long, which are left out.
                warnings.simplefilter("ignore")
                table = pd.read_csv(
                    io.StringIO("\n".join(lines[layout.start :])),
                    sep=layout.separator,
                    header=0 if layout.has_header else None,
                    decimal=layout.decimal,
                    comment=self.comment,
                    # Only an empty cell is missing; by default pandas reads a logged "nan" the
                    # same.
                    keep_default_na=False,
                    na_values=[""],
                    skipinitialspace=True,
                    # The type of a column is decided from all its rows, not in each chunk.
                    low_memory=False,
                    # Rows that end with a separator would make the first column an index.
                    index_col=False,
                    on_bad_lines="skip",
                )
        except (ValueError, OverflowError, csv.Error) as error:
            raise BadInput(str(path), f"cannot be read as a table: {error}") from error
        if not len(table):
            raise BadInput(str(path), "the table has no rows")
        if not layout.has_header:
            table.columns = pd.Index([str(number + 1) for number in range(table.shape[1])])
        table.columns = pd.Index([str(name).strip() for name in table.columns])
        parsed = (
            (str(name), _parse_column(cells, str(name), layout.decimal))
            for name, cells in table.items()
        )
        numeric = {name: column for name, column in parsed if column is not None}
        if not numeric:
            raise BadInput(str(path), "no column of the table has numbers")
        return build_record(numeric, path, "csv", columns)

    def _find_layout(self, lines: Sequence[str]) -> _Layout | None:
        """The first line after which a table follows; None if there is no table."""
        known = [
            (index, line)
            for index, line in enumerate(lines[: MAX_PREAMBLE + 10 * SAMPLE])
            if line.strip() and not line.startswith(self.comment)
        ]
        for position in range(min(len(known) - 1, MAX_PREAMBLE)):
            sample = [line for _, line in known[position : position + SAMPLE + 1]]
            found = _guess_layout(sample)
            if found is not None:
                return found._replace(start=known[position][0])
        return None

    def _skip(self, lines: Sequence[str]) -> int:
        """Index of the first line that is neither blank nor a comment."""
        is_text = [bool(line.strip()) and not line.startswith(self.comment) for line in lines]
        return is_text.index(True) if any(is_text) else 0


def _guess_layout(sample: Sequence[str]) -> _Layout | None:
    """The layout of a table that begins with the first of these lines; None if there is none."""
    header, rows = sample[0], sample[1:]
    separator = next((sign for sign in SEPARATORS if sign in header), SPACES)
    cells, table = _split_cells(header, separator), [_split_cells(r, separator) for r in rows]
    has_index = separator == SPACES and [len(row) for row in table[:2]] == [len(cells) + 1] * 2
    size, is_number = len(cells) + has_index, [_is_number(cell) for cell in cells]
    # A separator at the end of a row makes an empty cell, for which the header has no name.
    table = [row[:size] if row[size:] == [""] else row for row in table]
    good = [row for row in table if len(row) == size and any(map(_is_number, row))]
    if separator == "|":  # also the border of a box with one name and number in each line
        good = [row for row in good if all(_is_number(cell) or not cell for cell in row)]
    if size < 2 and not re.fullmatch(r"[A-Za-z][\w/. ]*", header.strip()):
        return None
    if not good or len(good) < MIN_TABLE_SHARE * len(rows) or _has_named_numbers(sample):
        return None
    named = [cell for cell, known in zip(cells, is_number, strict=True) if cell and not known]
    if any(is_number) and named:
        return None  # names and numbers in one line: no header, and no row either
    return _Layout(0, separator, not any(is_number), _find_decimal(good, separator), has_index)


def _has_named_numbers(lines: Sequence[str]) -> bool:
    """Whether many lines have numbers after names, so that they are text and not a table."""
    return sum(bool(_NAMED_NUMBER.search(line)) for line in lines) > MAX_NAMED_SHARE * len(lines)


def _split_cells(line: str, separator: str) -> list[str]:
    """The cells of a line."""
    if separator == SPACES:
        return line.split()
    try:
        cells = next(csv.reader([line], delimiter=separator, skipinitialspace=True), [])
    except csv.Error:  # a quote that is not closed, or a cell of more than 128 KiB
        cells = line.split(separator)
    return [cell.strip() for cell in cells]


def _is_number(cell: str) -> bool:
    return bool(_NUMBER.fullmatch(cell))


def _find_decimal(rows: Sequence[Sequence[str]], separator: str) -> str:
    """A comma if numbers have decimal commas and no decimal points."""
    cells = [cell for row in rows for cell in row if _is_number(cell)]
    has_comma = separator != "," and any(map(_DECIMAL_COMMA.search, cells))
    return "," if has_comma and not any("." in cell for cell in cells) else "."


def _parse_column(cells: Series, name: str, decimal: str) -> Column | None:
    """A column's numbers with their rows; None if most cells are not numbers."""
    import pandas as pd

    if cells.dtype == bool:
        return None
    if not pd.api.types.is_numeric_dtype(cells):
        words = cells.astype("string").str.strip()
        cells = words.where(words != name)  # a resumed run may have appended a second header
        if decimal == ",":
            cells = cells.str.replace(",", ".", regex=False)
        numbers = pd.to_numeric(cells, errors="coerce")
        is_text = numbers.isna() & cells.notna() & (cells.str.lower() != "nan")
        if is_text.sum() > len(cells) / 2 or not numbers.notna().any():
            return None
        is_number = cells.notna() & ~is_text
        cells = numbers
    else:
        is_number = cells.notna()
    rows = np.flatnonzero(is_number.to_numpy())
    return Column(rows, cells.to_numpy(dtype=float, na_value=np.nan)[rows])
