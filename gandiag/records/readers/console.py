"""Reads console text: whatever a training loop prints, as far as numbers follow names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gandiag.plugins.errors import BadInput
from gandiag.records.readers._console_rows import drop_rare_names, read_rows
from gandiag.records.readers._table import build_record, collect_columns
from gandiag.records.readers._text import MAX_BYTES, read_head, read_text, split_lines
from gandiag.records.record import Record

# Numbers with a decimal comma, as in "loss: 0,45"; not thousands such as 20,000.
_DECIMAL_COMMA = re.compile(r"(?<![\d.,])(?:\d+,(?:\d{1,2}|\d{4,})|0,\d{3})(?![\d,])")
_DECIMAL_POINT = re.compile(r"\d\.\d")
_COMMA = re.compile(r"(?<=\d),(?=\d)")


@dataclass(frozen=True)
class Console:
    """Console text of a training loop: progress bars, log lines, printed dicts and sentences.

    A number gets the words before it as its name; brackets such as `[3/25][200/782]`, and words
    such as epoch, step and kimg, give the position. Other lines are skipped.
    """

    # A longer text is read up to this many bytes.
    max_bytes: int = MAX_BYTES

    def recognises(self, path: Path) -> bool:
        """Whether the file is text with at least one number, and no scenario."""
        # A YAML file is settings: its numbers follow names, too, but none of them was measured.
        if path.suffix in (".yaml", ".yml"):
            return False
        return path.is_file() and any(map(str.isdigit, read_head(path)))

    def read(self, path: Path, columns: Mapping[str, str]) -> Record:
        """Read every line in which a number follows a name or is a counter."""
        return build_console_record(read_text(path, self.max_bytes), path, "console", columns)


def build_console_record(text: str, path: Path, reader: str, columns: Mapping[str, str]) -> Record:
    """Build the record of a printed text.

    Args:
        text: what the training loop printed.
        path: path of the log, for messages.
        reader: name of the reader, for messages.
        columns: column names by role that the user passed.

    Raises:
        BadInput: no line has a number after a name, or no number can be a loss.
    """
    if _uses_decimal_commas(text[: 2**18]):
        text = _COMMA.sub(".", text)
    found = read_rows(split_lines(text))
    if not found.rows:
        raise BadInput(str(path), "no line has a number after a name, such as loss_D: 0.45")
    # An epoch has the number of counts that most lines give.
    lengths = {name: totals.most_common(1)[0][0] for name, totals in found.totals.items()}
    record_columns = collect_columns(drop_rare_names(found))
    return build_record(record_columns, path, reader, columns, lengths)


def _uses_decimal_commas(text: str) -> bool:
    return not _DECIMAL_POINT.search(text) and bool(_DECIMAL_COMMA.search(text))
