"""Reads JSON logs: one object per line, or one document with a list of numbers per column."""

from __future__ import annotations

import contextlib
import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gandiag.plugins.errors import BadInput
from gandiag.records.readers._table import build_record, collect_columns
from gandiag.records.record import Record

SUFFIXES = (".jsonl", ".ndjson", ".json", ".jl")
#: Strings that are read as numbers, in lower case, as JSON has no notation for these numbers.
_NON_FINITE = {"nan", "inf", "infinity", "-inf", "-infinity"}


@dataclass(frozen=True)
class JsonLines:
    """One JSON object per line (`.jsonl`, `.ndjson`), or a `.json` document; also gzipped.

    A document is a list of objects or an object of lists. An entry of a nested object is named
    ``outer/inner``.
    """

    # This text joins the names of nested objects to the name of a column.
    separator: str = "/"

    def recognises(self, path: Path) -> bool:
        """Whether the file has a suffix of JSON."""
        return path.is_file() and path.name.lower().removesuffix(".gz").endswith(SUFFIXES)

    def read(self, path: Path, columns: Mapping[str, str]) -> Record:
        """Read every line; an incomplete last line is left out."""
        try:
            open_file = gzip.open if path.name.endswith(".gz") else open
            with open_file(path, "rt", encoding="utf-8-sig") as file:
                objects = _parse_objects(path, file.read())
        except (OSError, EOFError, UnicodeDecodeError) as error:
            raise BadInput(str(path), f"cannot be read: {error}") from error
        other = next((n for n, row in enumerate(objects, 1) if not isinstance(row, dict)), None)
        if other is not None:
            raise BadInput(str(path), f"entry {other} is not a JSON object")
        found = collect_columns(flatten_numbers(row, self.separator) for row in objects)
        if not found:
            raise BadInput(str(path), "no object has a number")
        return build_record(found, path, "json_lines", columns)


def flatten_numbers(data: Mapping[str, Any], separator: str, outer: str = "") -> dict[str, float]:
    """The numbers of an object and of its nested objects, by name.

    >>> flatten_numbers({"step": 1, "loss": {"d": 0.5, "g": "NaN"}, "note": "x"}, "/")
    {'step': 1.0, 'loss/d': 0.5, 'loss/g': nan}
    """
    numbers: dict[str, float] = {}
    for key, value in data.items():
        if isinstance(value, dict):
            numbers |= flatten_numbers(value, separator, f"{outer}{key}{separator}")
        elif type(value) in (float, int) or (
            isinstance(value, str) and value.lower() in _NON_FINITE
        ):
            numbers[outer + key] = float(value)  # `type` excludes bool, which is an int
    return numbers


def _parse_objects(path: Path, text: str) -> list[Any]:
    """The objects of a log, one per row."""
    lines = [line for line in text.splitlines() if line.strip()]
    if ".json" in path.suffixes:
        with contextlib.suppress(ValueError):  # some trainers name a file of lines `.json`
            document = json.loads(text)
            return document if isinstance(document, list) else _split_into_rows(document)
    try:
        return list(json.loads(f"[{','.join(lines)}]"))  # five times faster than line by line
    except ValueError:
        return list(_parse_lines(path, lines))


def _parse_lines(path: Path, lines: Sequence[str]) -> Iterator[Any]:
    for number, line in enumerate(lines, start=1):
        try:
            yield json.loads(line)
        except ValueError as error:
            if number == len(lines) and number > 1:  # the run was interrupted while writing
                return
            raise BadInput(f"{path}:{number}", f"not JSON ({error})") from error


def _split_into_rows(document: Any) -> list[Any]:
    """The rows of an object of lists, ``{"d_loss": [...], "g_loss": [...]}``."""
    if not isinstance(document, dict):
        return [document]
    lists = {name: value for name, value in document.items() if isinstance(value, list)}
    if not lists:
        return [document]
    size = max(len(value) for value in lists.values())
    return [
        {name: value[row] for name, value in lists.items() if row < len(value)}
        for row in range(size)
    ]
