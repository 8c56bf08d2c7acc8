"""The recorder: writes a run's record while the run goes on, in memory and on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from gandiag.records.facts import NOT_MEASURED
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

    Attributes:
        on_disk_error: called once with the error if a file cannot be written after the start; the
            record then continues in memory. None: the error is raised.

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
        self.on_disk_error: Callable[[OSError], None] | None = None
        self._has_disk_failed = False
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
        if rows:
            self._write(lambda folder: _append_rows(folder / SIGNALS_FILE, rows))

    def add_environment(self, **environment: Any) -> None:
        """Add entries that are known only later, such as the run's duration in seconds."""
        self.environment |= environment
        self._write_environment()

    def add_facts(self, **facts: Any) -> None:
        """Add facts, before the first signal that a detector reads together with them."""
        self.facts |= facts
        self._write_environment()

    def add_limit(self, name: str, text: str, probes: Iterable[str] = ()) -> None:
        """Add to the facts what could not be measured, in place of an earlier text of that name.

        Args:
            name: short name of the limit.
            text: since when, why, and the remedy, as sentences for a reader.
            probes: names of the probes that lack it; none for all probes.
        """
        limits = self.facts.get(NOT_MEASURED, {})
        self.add_facts(**{NOT_MEASURED: {**limits, name: {"text": text, "probes": [*probes]}}})

    def remove_limit(self, name: str) -> None:
        """Remove a limit that no longer holds; do nothing if there is none of that name."""
        limits = self.facts.get(NOT_MEASURED, {})
        if name in limits:
            left = {key: limit for key, limit in limits.items() if key != name}
            self.add_facts(**{NOT_MEASURED: left})

    def record(self) -> Record:
        """The record so far."""
        return Record(self._buffer.signals(), self.facts, self.environment, self.folder)

    def _write_environment(self) -> None:
        data = {**self.environment, "facts": self.facts}
        self._write(lambda folder: write_json_file(folder / ENVIRONMENT_FILE, data))

    def _write(self, write: Callable[[Path], None]) -> None:
        """Write into the folder, if there is one and it could be written so far."""
        if self.folder is None or self._has_disk_failed:
            return
        try:
            write(self.folder)
        except OSError as error:  # such as a full disk, or a folder that was removed
            if self.on_disk_error is None:
                raise
            self._has_disk_failed = True
            self.on_disk_error(error)


def _append_rows(path: Path, rows: Iterable[Row]) -> None:
    # The file is opened for each call, so that a killed process loses no finished row.
    with path.open("a", encoding="utf-8") as file:
        file.writelines(encode_row(*row) for row in rows)


def _round_row(row: Row) -> Row:
    return Row(row.step, {name: _round_value(value) for name, value in row.signals.items()})


def _round_value(value: Value) -> Value:
    if isinstance(value, list):
        return [float(f"{item:.7g}") for item in value]
    return float(f"{value:.7g}")
