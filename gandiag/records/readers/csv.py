"""Reads text tables: comma-, semicolon-, tab- and space-separated columns, also gzipped."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gandiag.plugins.errors import BadInput
from gandiag.records.readers._table import Column, build_record
from gandiag.records.record import Record

if TYPE_CHECKING:
    from pandas import Series


SUFFIXES = (".csv", ".tsv", ".txt", ".dat", ".log")
SEPARATORS = (",", ";", "\t")


@dataclass(frozen=True)
class Csv:
    """A text table with a header line: `.csv`, `.tsv`, `.txt`, `.dat`, `.log`, or gzipped.

    An empty cell is a missing number; the words nan and inf are numbers that were logged.
    """

    # Lines that begin with this text are comments and are skipped.
    comment: str = "#"

    def recognises(self, path: Path) -> bool:
        """Whether the file has the suffix of a text table."""
        return path.is_file() and path.name.lower().removesuffix(".gz").endswith(SUFFIXES)

    def read(self, path: Path, columns: Mapping[str, str]) -> Record:
        """Read the table; its separator is the first of , ; and tab in the header, else spaces."""
        import pandas as pd

        skipped, header = self._find_header(path)
        separator = next((sign for sign in SEPARATORS if sign in header), r"\s+")
        try:
            table = pd.read_csv(
                path,
                sep=separator,
                skiprows=skipped,
                comment=self.comment,
                # Only an empty cell is missing; by default pandas reads a logged "nan" the same.
                keep_default_na=False,
                na_values=[""],
                skipinitialspace=True,
                # The type of a column is decided from all its rows, not separately in each chunk.
                low_memory=False,
                # Rows that end with a separator would otherwise make the first column an index.
                index_col=False,
            )
        except (ValueError, UnicodeDecodeError, OSError) as error:
            raise BadInput(str(path), f"cannot be read as a table: {error}") from error
        if not len(table):
            raise BadInput(str(path), "the table has no rows")
        table.columns = table.columns.astype(str).str.strip()
        parsed = ((str(name), _parse_column(cells, str(name))) for name, cells in table.items())
        numeric = {name: column for name, column in parsed if column is not None}
        if not numeric:
            raise BadInput(str(path), "no column of the table has numbers")
        return build_record(numeric, path, "csv", columns)

    def _find_header(self, path: Path) -> tuple[int, str]:
        """The number of lines before the header, and the header."""
        open_file = gzip.open if path.name.endswith(".gz") else open
        try:
            # "utf-8-sig" skips the byte order mark that spreadsheet programs write.
            with open_file(path, "rt", encoding="utf-8-sig", errors="replace") as file:
                for number, line in enumerate(file):
                    if line.strip() and not line.startswith(self.comment):
                        return number, line
        except (OSError, EOFError) as error:
            raise BadInput(str(path), f"cannot be read: {error}") from error
        raise BadInput(str(path), "the file is empty")


def _parse_column(cells: Series, name: str) -> Column | None:
    """A column's numbers with their rows; None if most cells are not numbers."""
    import pandas as pd

    if cells.dtype == bool:
        return None
    if not pd.api.types.is_numeric_dtype(cells):
        words = cells.astype("string").str.strip()
        cells = words.where(words != name)  # a resumed run may have appended a second header
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
