"""Reads JSON logs: one object per line, or one document with a list of numbers per column."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gandiag.plugins.errors import BadInput
from gandiag.records.readers._json_document import is_number, list_rows
from gandiag.records.readers._table import build_record, collect_columns
from gandiag.records.readers._text import read_head, read_text
from gandiag.records.record import Record

MAX_DEPTH = 8  # of nested objects whose numbers are read
SUFFIXES = (".jsonl", ".ndjson", ".json", ".jl")
#: The begin of a JSON document: an object, or a list of objects, lists or numbers.
_BEGIN = re.compile(r'\s*(?:\{\s*["}]|\[\s*[\[{\d"-])')
#: Strings that are read as numbers, in lower case, as JSON has no notation for these numbers.
_NON_FINITE = {"nan", "inf", "infinity", "-inf", "-infinity"}


@dataclass(frozen=True)
class JsonLines:
    """One JSON object per line (`.jsonl`, `.ndjson`), or a `.json` document; also gzipped.

    A document is a list of objects, an object of lists of numbers or of pairs (step, value), or a
    list of lists. An entry of a nested object is named ``outer/inner``.
    """

    # This text joins the names of nested objects to the name of a column.
    separator: str = "/"

    def recognises(self, path: Path) -> bool:
        """Whether the file has a suffix of JSON, or begins as JSON does."""
        if not path.is_file():
            return False
        if path.name.lower().removesuffix(".gz").endswith(SUFFIXES):
            return True
        return _begins_as_json(read_head(path))

    def read(self, path: Path, columns: Mapping[str, str]) -> Record:
        """Read every line; an incomplete last line is left out."""
        try:
            objects = _parse_objects(path, read_text(path))
        except RecursionError as error:
            raise BadInput(str(path), "is nested too deeply") from error
        other = next((n for n, row in enumerate(objects, 1) if not isinstance(row, dict)), None)
        if other is not None:
            raise BadInput(str(path), f"entry {other} is not a JSON object")
        found = collect_columns(flatten_numbers(row, self.separator) for row in objects)
        if not found:
            raise BadInput(str(path), "no object has a number")
        return build_record(found, path, "json_lines", columns)


def flatten_numbers(
    data: Mapping[str, Any], separator: str, outer: str = "", depth: int = 0
) -> dict[str, float]:
    """The numbers of an object and of its nested objects, by name.

    >>> flatten_numbers({"step": 1, "loss": {"d": 0.5, "g": "NaN"}, "note": "x"}, "/")
    {'step': 1.0, 'loss/d': 0.5, 'loss/g': nan}
    """
    numbers: dict[str, float] = {}
    for key, value in data.items():
        if isinstance(value, dict) and depth < MAX_DEPTH:
            numbers |= flatten_numbers(value, separator, f"{outer}{key}{separator}", depth + 1)
        elif is_number(value) or (isinstance(value, str) and value.lower() in _NON_FINITE):
            with contextlib.suppress(OverflowError):  # an integer beyond the range of floats
                numbers[outer + key] = float(value)
    return numbers


def _parse_objects(path: Path, text: str) -> list[Any]:
    """The objects of a log, one per row."""
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) != 1 or ".json" in path.suffixes or not lines[0].lstrip().startswith("{"):
        with contextlib.suppress(ValueError):  # some trainers name a file of lines `.json`
            return list_rows(json.loads(text))
    try:
        rows = list(json.loads(f"[{','.join(lines)}]"))  # five times faster than line by line
    except ValueError:
        rows = list(_parse_lines(path, lines))
    return list_rows(rows[0]) if len(rows) == 1 and isinstance(rows[0], dict) else rows


def _parse_lines(path: Path, lines: Sequence[str]) -> Iterator[Any]:
    for number, line in enumerate(lines, start=1):
        try:
            yield json.loads(line)
        except ValueError as error:
            if number == len(lines) and number > 1:  # the run was interrupted while writing
                return
            raise BadInput(f"{path}:{number}", f"not JSON ({error})") from error


def _begins_as_json(head: str) -> bool:
    """Whether a text begins as JSON and its first line, if it is a whole value, is nothing else.

    >>> _begins_as_json('{"d_loss": 0.5}'), _begins_as_json("[1, 200] d_loss: 0.5")
    (True, False)
    """
    if not _BEGIN.match(head):
        return False
    line = head.lstrip().partition("\n")[0].strip()
    try:
        _, end = json.JSONDecoder().raw_decode(line)
    except json.JSONDecodeError as error:
        # A document of several lines: its first line is no whole value, but right up to its end.
        return error.pos >= len(line) - 1 or error.msg.startswith("Unterminated string")
    except RecursionError:
        return True
    return not line[end:].strip(" ,")
