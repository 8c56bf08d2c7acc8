"""The recorder: writes a run's record while the run goes on, in memory and on disk."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from gandiag.plugins.errors import warn_user
from gandiag.records.facts import NOT_MEASURED
from gandiag.records.pages import PAGE_ROWS, read_pages, remove_pages, write_page
from gandiag.records.record import (
    ENVIRONMENT_FILE,
    SAMPLES_FOLDER,
    SIGNALS_FILE,
    Record,
    Row,
    SignalBuffer,
)
from gandiag.records.storage import (
    Value,
    encode_row,
    keep_rows,
    sync_file,
    write_file,
    write_json_file,
)


class Recorder:
    """Writes a record row by row, and gives the record so far.

    Numbers are rounded to 7 significant digits, on disk and in memory: float32 has no more (7.2),
    and a detector must give the same answer on the record in memory and on the record on disk.

    Attributes:
        disk_error: the first error in writing into the folder after the start, such as that of a
            full disk; None if there was none. Since then the record continues in memory.

    Args:
        folder: folder of the record, which replaces an earlier record there; None keeps the record
            in memory only.
        facts: properties of the run and its data that detectors may use (see `Record`).
        environment: versions, device and times, for the page.
        is_resumed: whether the record in the folder is to be continued; call `load_state` then.

    Raises:
        OSError: the folder cannot be written.
    """

    def __init__(
        self,
        folder: Path | None,
        facts: Mapping[str, Any],
        environment: Mapping[str, Any],
        is_resumed: bool = False,
    ) -> None:
        self.folder = folder
        self.facts = dict(facts)
        self.environment = dict(environment)
        self.disk_error: OSError | None = None
        self._buffer = SignalBuffer()
        self._row_count = 0
        # Rows behind the last page, and where they begin in the file; see `gandiag.records.pages`.
        self._page, self._page_rows, self._page_begin = SignalBuffer(), 0, 0
        if folder is not None and not is_resumed:
            (folder / SAMPLES_FOLDER).mkdir(parents=True, exist_ok=True)
            remove_pages(folder)
            # An earlier run's sample grids would be shown as grids of this run.
            for sample_grid in (folder / SAMPLES_FOLDER).glob("step-*"):
                sample_grid.unlink()
            # A folder that cannot be written from the start is a mistake of the user, and raises.
            write_json_file(folder / ENVIRONMENT_FILE, {**environment, "facts": self.facts})
            (folder / SIGNALS_FILE).write_text("")

    def add(self, rows: Iterable[Row]) -> None:
        """Append rows. Their steps must not decrease, within a call and between calls."""
        rows = [_round_row(row) for row in rows]
        for row in rows:
            self._buffer.add(row)
        self._row_count += len(rows)
        if rows:
            self._write(lambda folder: self._append_rows(folder, rows))

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

    def state(self) -> dict[str, Any]:
        """What `load_state` needs to continue the record on disk from here."""
        return {"rows": self._row_count, "facts": self.facts, "environment": self.environment}

    def load_state(self, state: Mapping[str, Any]) -> list[Row]:
        """Continue the record in the folder where it was at `state`; later rows are removed.

        Returns:
            The rows that are kept.

        Raises:
            ValueError: the record has fewer rows than at `state`, or was written without a folder.
            BadInput: the record is damaged.
            OSError: the record cannot be read, or the later rows cannot be removed.
        """
        if self.folder is None:
            raise ValueError("a record in memory cannot be continued")
        path = self.folder / SIGNALS_FILE
        rows = [Row(*row) for row in keep_rows(path, state["rows"])]
        for row in rows:
            self._buffer.add(row)
        size = path.stat().st_size
        remove_pages(self.folder, after=size)
        pages = read_pages(self.folder, size)
        self._page_begin, self._page_rows = pages.end, len(rows) - pages.rows
        for row in rows[pages.rows :]:
            self._page.add(row)
        self._row_count = len(rows)
        self.facts |= state["facts"]
        # The run is still the one that began then; its new part adds what was not known yet.
        self.environment |= state["environment"]
        self._write_environment()
        return rows

    def sync(self) -> None:
        """Make the rows that have been written survive a power cut."""
        self._write(lambda folder: sync_file(folder / SIGNALS_FILE))

    def record(self) -> Record:
        """The record so far."""
        return Record(self._buffer.signals(), self.facts, self.environment, self.folder)

    def note_disk_error(self, error: OSError) -> None:
        """Continue the record in memory only, after one warning: training is worth more."""
        if self.disk_error is None:
            warn_user(
                f"gandiag: the record in {self.folder} is not continued, only that in memory: "
                f"{type(error).__name__}: {error}"
            )
            self.disk_error = error

    def rescue(self) -> bool:
        """After a disk error, write the whole record to where that is possible now.

        It is written into the record's folder, or else into a new one in the system's folder for
        temporary files, which is then the record's `folder`.

        Returns:
            Whether the whole record is on disk.
        """
        if self.folder is None or self.disk_error is None:
            return True
        record, error = self.record(), self.disk_error
        self.environment["disk_error"] = error.strerror or type(error).__name__
        for choose in (lambda: self.folder, lambda: tempfile.mkdtemp(prefix="gandiag-")):
            with suppress(OSError):
                folder = Path(choose())
                (folder / SAMPLES_FOLDER).mkdir(parents=True, exist_ok=True)
                remove_pages(folder)  # their places are not those in the new file
                rows = (encode_row(*row) for row in record.rows())
                write_file(folder / SIGNALS_FILE, "".join(rows))
                data = {**self.environment, "facts": self.facts}
                write_json_file(folder / ENVIRONMENT_FILE, data)
                self.folder = folder
                return True
        return False

    def _append_rows(self, folder: Path, rows: Sequence[Row]) -> None:
        path = folder / SIGNALS_FILE
        # The file is opened for each call, so that a killed process loses no finished row.
        with path.open("a", encoding="utf-8") as file:
            file.writelines(encode_row(*row) for row in rows)
        for row in rows:
            self._page.add(row)
        self._page_rows += len(rows)
        if self._page_rows >= PAGE_ROWS:
            end = path.stat().st_size
            write_page(folder, self._page.signals(), self._page_begin, end, self._page_rows)
            self._page, self._page_rows, self._page_begin = SignalBuffer(), 0, end

    def _write_environment(self) -> None:
        data = {**self.environment, "facts": self.facts}
        self._write(lambda folder: write_json_file(folder / ENVIRONMENT_FILE, data))

    def _write(self, write: Callable[[Path], None]) -> None:
        """Write into the folder, if there is one and it could be written so far."""
        if self.folder is None or self.disk_error is not None:
            return
        try:
            write(self.folder)
        except OSError as error:  # such as a full disk, or a folder that was removed
            self.note_disk_error(error)


def _round_row(row: Row) -> Row:
    return Row(row.step, {name: _round_value(value) for name, value in row.signals.items()})


def _round_value(value: Value) -> Value:
    if isinstance(value, list):
        return [float(f"{item:.7g}") for item in value]
    return float(f"{value:.7g}")
