"""Fills a record while a run goes on, in memory and on disk."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from gandiag.records.record import (
    ENVIRONMENT,
    SAMPLES,
    SIGNALS,
    Columns,
    Record,
    Row,
)
from gandiag.records.storage import Value, encode_row, write_json_file


class Recorder:
    """Writes a record while a run goes on, and shows what there is so far.

    Numbers are rounded to 7 digits, of which float32 has no more, on disk and in memory alike.

    Args:
        folder: where the record goes, in place of an earlier one; in memory only if None.
        facts: what is known before the first step, such as ``steps`` (planned) and ``shape``.
        environment: versions, device and times; for the page, never for a detector.

    Raises:
        OSError: nothing can be written there.
    """

    def __init__(
        self, folder: Path | None, facts: Mapping[str, Any], environment: Mapping[str, Any]
    ) -> None:
        self.folder = folder
        self.facts = dict(facts)
        self.environment = dict(environment)
        self._memory = Columns()
        if folder is not None:
            (folder / SAMPLES).mkdir(parents=True, exist_ok=True)
            for sheet in (folder / SAMPLES).glob("step-*"):
                sheet.unlink()  # an earlier run's would be taken for this one's
            self._write_environment()
            (folder / SIGNALS).write_text("")

    def add(self, rows: Iterable[Row]) -> None:
        """Append rows, whose steps must not go back."""
        rows = [_rounded(row) for row in rows]  # so that memory and disk give the same answers
        for row in rows:
            self._memory.add(row)
        if self.folder is not None and rows:
            with (self.folder / SIGNALS).open("a", encoding="utf-8") as file:
                file.writelines(encode_row(*row) for row in rows)

    def add_environment(self, **environment: Any) -> None:
        """Add to the environment what is known only later, such as the seconds it took."""
        self.environment |= environment
        if self.folder is not None:
            self._write_environment()

    def add_facts(self, **facts: Any) -> None:
        """Add to the facts what is known before the signals that need it are recorded."""
        self.facts |= facts
        if self.folder is not None:
            self._write_environment()

    def record(self) -> Record:
        """The record so far."""
        return Record(self._memory.signals(), self.facts, self.environment, self.folder)

    def _write_environment(self) -> None:
        assert self.folder is not None
        write_json_file(self.folder / ENVIRONMENT, {**self.environment, "facts": self.facts})


def _rounded(row: Row) -> Row:
    return Row(row.step, {name: _near(value) for name, value in row.signals.items()})


def _near(value: Value) -> Value:
    if isinstance(value, list):
        return [float(f"{item:.7g}") for item in value]
    return float(f"{value:.7g}")  # float32 has 7.2 digits
