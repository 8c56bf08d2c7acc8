"""Reads Jupyter notebooks: the text that a training loop printed in one of their cells."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gandiag.plugins.errors import BadInput
from gandiag.records.readers._text import read_text
from gandiag.records.readers.console import build_console_record
from gandiag.records.record import Record


@dataclass(frozen=True)
class Notebook:
    """A Jupyter notebook (`.ipynb`): the printed text of the cell that has the most losses.

    A notebook may have trained several times; a note names the other cells with losses.
    """

    # Cells are counted from this number in notes; Jupyter's own numbers count executions.
    first_cell: int = 1

    def recognises(self, path: Path) -> bool:
        """Whether the file is called a notebook."""
        return path.is_file() and path.suffix.lower() == ".ipynb"

    def read(self, path: Path, columns: Mapping[str, str]) -> Record:
        """Read each cell's text as console text, and keep the longest log."""
        try:
            document = json.loads(read_text(path))
        except (ValueError, RecursionError) as error:
            raise BadInput(str(path), f"not a notebook ({error})") from error
        found: dict[int, Record] = {}
        problem = BadInput(str(path), "no cell of the notebook has printed a number after a name")
        for number, text in enumerate(_list_outputs(document), self.first_cell):
            try:
                if any(map(str.isdigit, text)):
                    found[number] = build_console_record(text, path, "notebook", columns)
            except BadInput as error:
                problem = error
        if not found:
            raise problem
        number = max(found, key=lambda cell: _count_rows(found[cell]))
        others = ", ".join(str(cell) for cell in found if cell != number)
        note = f"Cell {number} is read" + (
            f"; cells with losses, too, are {others}." * bool(others)
        )
        found[number].environment["log"]["notes"].append(note if others else f"{note}.")
        return found[number]


def _count_rows(record: Record) -> int:
    return max(len(signal.steps) for signal in record.signals.values())


def _list_outputs(document: Any) -> Iterator[str]:
    """The printed text of each code cell; empty for a cell without one."""
    document = document if isinstance(document, dict) else {}
    # The first versions of the format have the cells in worksheets.
    sheets = [document, *_list_dicts(document.get("worksheets"))]
    for cell in (cell for sheet in sheets for cell in _list_dicts(sheet.get("cells"))):
        outputs = (output.get("text") for output in _list_dicts(cell.get("outputs")))
        # A text is a string, or a list of its lines.
        yield "".join(
            part
            for text in outputs
            for part in (text if isinstance(text, list) else [text])
            if isinstance(part, str)
        )


def _list_dicts(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
