"""The recorder: writes a run's record while the run goes on, in memory and on disk."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from gandiag.records.record import (
    ENVIRONMENT_FILE,
    SAMPLES_FOLDER,
    SIGNALS_FILE,
    Record,
    Row,
    SignalBuffer,
)
from gandiag.records.storage import Value, encode_row, write_json_file


class Recorder:
    """Writes a record row by row, and gives the record so far.

    Numbers are rounded to 7 significant digits, on disk and in memory: float32 has no more (7.2),
    and a detector must give the same answer on the record in memory and on the record on disk.

    Args:
        folder: folder of the record, which replaces an earlier record there; None keeps the record
            in memory only.
        facts: properties of the run and its data that detectors may use (see `Record`).
        environment: versions, device and times, for the page.

    Raises:
        OSError: the folder cannot be written.
    """

    def __init__(
        self, folder: Path | None, facts: Mapping[str, Any], environment: Mapping[str, Any]
    ) -> None:
        self.folder = folder
        self.facts = dict(facts)
        self.environment = dict(environment)
        self._buffer = SignalBuffer()
        if folder is not None:
            (folder / SAMPLES_FOLDER).mkdir(parents=True, exist_ok=True)
            # An earlier run's sample grids would be shown as grids of this run.
            for sample_grid in (folder / SAMPLES_FOLDER).glob("step-*"):
                sample_grid.unlink()
            self._write_environment()
            (folder / SIGNALS_FILE).write_text("")

    def add(self, rows: Iterable[Row]) -> None:
        """Append rows. Their steps must not decrease, within a call and between calls."""
        rows = [_round_row(row) for row in rows]
        for row in rows:
            self._buffer.add(row)
        if self.folder is not None and rows:
            # The file is opened for each call, so that a killed process loses no finished row.
            with (self.folder / SIGNALS_FILE).open("a", encoding="utf-8") as file:
                file.writelines(encode_row(*row) for row in rows)

    def add_environment(self, **environment: Any) -> None:
        """Add entries that are known only later, such as the run's duration in seconds."""
        self.environment |= environment
        if self.folder is not None:
            self._write_environment()

    def add_facts(self, **facts: Any) -> None:
        """Add facts, before the first signal that a detector reads together with them."""
        self.facts |= facts
        if self.folder is not None:
            self._write_environment()

    def record(self) -> Record:
        """The record so far."""
        return Record(self._buffer.signals(), self.facts, self.environment, self.folder)

    def _write_environment(self) -> None:
        assert self.folder is not None
        write_json_file(self.folder / ENVIRONMENT_FILE, {**self.environment, "facts": self.facts})


def _round_row(row: Row) -> Row:
    return Row(row.step, {name: _round_value(value) for name, value in row.signals.items()})


def _round_value(value: Value) -> Value:
    if isinstance(value, list):
        return [float(f"{item:.7g}") for item in value]
    return float(f"{value:.7g}")
