"""Reads tables of text: CSV, TSV, and columns set apart by spaces, gzipped or not."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gandiag.plugins.errors import BadInput
from gandiag.records.readers._table import Column, record_of
from gandiag.records.record import Record

if TYPE_CHECKING:
    from pandas import Series


SUFFIXES = (".csv", ".tsv", ".txt", ".dat", ".log")
SEPARATORS = (",", ";", "\t")


@dataclass(frozen=True)
class Csv:
    """A table of text with a header line: `.csv`, `.tsv`, `.txt`, `.dat`, `.log`, or gzipped.

    An empty cell is no number; the words nan and inf are numbers that were logged.
    """

    comment: str = "#"  # sign with which lines begin that hold no data

    def recognises(self, path: Path) -> bool:
        """Whether the file's name says so."""
        return path.is_file() and path.name.lower().removesuffix(".gz").endswith(SUFFIXES)

    def read(self, path: Path, columns: Mapping[str, str]) -> Record:
        """Read the table; the separator is the one found in the header."""
        import pandas as pd

        skipped, header = self._header(path)
        separator = next((sign for sign in SEPARATORS if sign in header), r"\s+")
        try:
            table = pd.read_csv(
                path,
                sep=separator,
                skiprows=skipped,
                comment=self.comment,
                keep_default_na=False,  # else an empty cell and a logged NaN are the same
                na_values=[""],
                skipinitialspace=True,
                low_memory=False,
                index_col=False,
            )
        except (ValueError, UnicodeDecodeError, OSError) as error:
            raise BadInput(str(path), f"cannot be read as a table: {error}") from error
        if not len(table):
            raise BadInput(str(path), "the table has no rows")
        table.columns = table.columns.astype(str).str.strip()
        named = ((str(name), _column(cells, str(name))) for name, cells in table.items())
        found = {name: column for name, column in named if column is not None}
        if not found:
            raise BadInput(str(path), "no column of the table holds numbers")
        return record_of(found, path, "csv", columns)

    def _header(self, path: Path) -> tuple[int, str]:
        """Number of lines before the header, and the header."""
        opened = gzip.open if path.name.endswith(".gz") else open
        try:
            with opened(path, "rt", encoding="utf-8-sig", errors="replace") as file:
                for number, line in enumerate(file):
                    if line.strip() and not line.startswith(self.comment):
                        return number, line
        except (OSError, EOFError) as error:
            raise BadInput(str(path), f"cannot be read: {error}") from error
        raise BadInput(str(path), "the file is empty")


def _column(cells: Series, name: str) -> Column | None:
    """A column's numbers with the rows that they stand in; None where most are none."""
    import pandas as pd

    if cells.dtype == bool:
        return None
    if not pd.api.types.is_numeric_dtype(cells):
        words = cells.astype("string").str.strip()
        cells = words.where(words != name)  # a header amid the table: the log was written on
        numbers = pd.to_numeric(cells, errors="coerce")
        strange = numbers.isna() & cells.notna() & (cells.str.lower() != "nan")
        if strange.sum() > len(cells) / 2 or not numbers.notna().any():
            return None
        held = cells.notna() & ~strange
        cells = numbers
    else:
        held = cells.notna()
    rows = np.flatnonzero(held.to_numpy())
    return Column(rows, cells.to_numpy(dtype=float, na_value=np.nan)[rows])
