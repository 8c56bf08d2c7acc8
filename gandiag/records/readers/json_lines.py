"""Reads logs of JSON: one object a line, or one document with lists of numbers."""

from __future__ import annotations

import contextlib
import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gandiag.plugins.errors import BadInput
from gandiag.records.readers._table import columns_of, record_of
from gandiag.records.record import Record

SUFFIXES = (".jsonl", ".ndjson", ".json", ".jl")
_WORDS = {"nan", "inf", "infinity", "-inf", "-infinity"}  # numbers that JSON has no way to write


@dataclass(frozen=True)
class JsonLines:
    """One JSON object a line (`.jsonl`, `.ndjson`), or a `.json` of objects or of lists; gzip too.

    What lies within an object is called ``outer/inner``.
    """

    separator: str = "/"  # between the names of nested objects

    def recognises(self, path: Path) -> bool:
        """Whether the file's name says so."""
        return path.is_file() and path.name.lower().removesuffix(".gz").endswith(SUFFIXES)

    def read(self, path: Path, columns: Mapping[str, str]) -> Record:
        """Read every line; a last one that was cut off is left out."""
        try:
            opened = gzip.open if path.name.endswith(".gz") else open
            with opened(path, "rt", encoding="utf-8-sig") as file:
                objects = _objects(path, file.read())
        except (OSError, EOFError, UnicodeDecodeError) as error:
            raise BadInput(str(path), f"cannot be read: {error}") from error
        strange = next((n for n, row in enumerate(objects, 1) if not isinstance(row, dict)), None)
        if strange is not None:
            raise BadInput(str(path), f"number {strange} in it is not a JSON object")
        found = columns_of(flat(row, self.separator) for row in objects)
        if not found:
            raise BadInput(str(path), "no object in it holds a number")
        return record_of(found, path, "json_lines", columns)


def flat(found: Mapping[str, Any], separator: str, outer: str = "") -> dict[str, float]:
    """The numbers of an object and of those within it, by name.

    >>> flat({"step": 1, "loss": {"d": 0.5, "g": "NaN"}, "note": "x"}, "/")
    {'step': 1.0, 'loss/d': 0.5, 'loss/g': nan}
    """
    numbers: dict[str, float] = {}
    for key, value in found.items():
        if isinstance(value, dict):
            numbers |= flat(value, separator, f"{outer}{key}{separator}")
        elif type(value) in (float, int) or (isinstance(value, str) and value.lower() in _WORDS):
            numbers[outer + key] = float(value)  # a bool is an int, but no number
    return numbers


def _objects(path: Path, text: str) -> list[Any]:
    """What is on the lines, or in the document where that is one."""
    lines = [line for line in text.splitlines() if line.strip()]
    if ".json" in path.suffixes:
        with contextlib.suppress(ValueError):  # it may be lines in spite of its name
            document = json.loads(text)
            return document if isinstance(document, list) else _transposed(document)
    try:
        return list(json.loads(f"[{','.join(lines)}]"))  # five times faster than one by one
    except ValueError:
        return list(_one_by_one(path, lines))


def _one_by_one(path: Path, lines: Sequence[str]) -> Iterator[Any]:
    for number, line in enumerate(lines, start=1):
        try:
            yield json.loads(line)
        except ValueError as error:
            if number == len(lines) and number > 1:  # an interrupted write
                return
            raise BadInput(f"{path}:{number}", f"not JSON ({error})") from error


def _transposed(document: Any) -> list[Any]:
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
