"""Read a record on disk while a run still writes it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

from gandiag.plugins.errors import BadInput
from gandiag.records.arrays import find_longest_rise
from gandiag.records.facts import read_environment
from gandiag.records.pages import read_pages
from gandiag.records.record import ENVIRONMENT_FILE, SIGNALS_FILE, Record, Row, SignalBuffer
from gandiag.records.storage import decode_row


class RecordTail:
    """The record in a folder; each update reads only the new rows.

    Args:
        folder: a run's folder. Nothing is written to it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._read = 0  # bytes
        self._newest = -1  # step
        self._columns = SignalBuffer()

    def read_new_rows(self) -> bool:
        """Read the new rows, and return whether there were any.

        An incomplete last row is left for the next call. A record that was started again in the
        same folder is read from its beginning.

        Raises:
            BadInput: the record is missing.
        """
        path = self.folder / SIGNALS_FILE
        try:
            with path.open("rb") as file:
                size = file.seek(0, 2)
                if size < self._read:
                    self._reset()
                start = self._read
                if not self._read:
                    self._read_pages(size)
                file.seek(self._read)
                new = file.read()
        except OSError as error:
            raise BadInput(str(path), f"cannot be read ({error.strerror})") from error
        # A row that the run is still writing has no line end yet.
        whole = new[: new.rfind(b"\n") + 1]
        rows = list(_decode_rows(whole))
        steps = [self._newest, *(row.step for row in rows)]
        if self._read and any(later < step for step, later in pairwise(steps)):
            self._reset()  # a new run has replaced the record, and is already longer than before
            return self.read_new_rows()
        for index in find_longest_rise([row.step for row in rows]):
            self._newest = rows[index].step
            self._columns.add(rows[index])
        self._read += len(whole)
        return self._read > start

    @property
    def record(self) -> Record:
        """All rows read so far, as a record."""
        environment, facts = read_environment(self.folder / ENVIRONMENT_FILE)
        return Record(self._columns.signals(), facts, environment, self.folder)

    def _read_pages(self, size: int) -> None:
        """Begin with the pages of a long record, whose rows would take a minute to parse."""
        pages = read_pages(self.folder, size)
        self._columns.add_columns(pages.columns)
        self._read = pages.end
        ends = (int(steps[-1]) for steps, _ in pages.columns.values())
        self._newest = max(ends, default=self._newest)

    def _reset(self) -> None:
        self._read, self._newest, self._columns = 0, -1, SignalBuffer()


def _decode_rows(lines: bytes) -> Iterator[Row]:
    for line in lines.splitlines():
        with suppress(ValueError):  # a damaged line costs itself, as in `Record.load`
            yield Row(*decode_row(line))
