"""Read a record on disk while a run still writes it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gandiag.plugins.errors import BadInput
from gandiag.records.record import ENVIRONMENT_FILE, SIGNALS_FILE, Record, Row, SignalBuffer
from gandiag.records.storage import decode_facts, decode_row


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
            BadInput: the record is missing, or a row is damaged.
        """
        path = self.folder / SIGNALS_FILE
        try:
            with path.open("rb") as file:
                if file.seek(0, 2) < self._read:
                    self._reset()
                file.seek(self._read)
                new = file.read()
        except OSError as error:
            raise BadInput(str(path), f"cannot be read ({error.strerror})") from error
        # A row that the run is still writing has no line end yet.
        whole = new[: new.rfind(b"\n") + 1]
        for line in whole.splitlines():
            try:
                row = Row(*decode_row(line))
            except ValueError as error:
                raise BadInput(str(path), f"not a row of a record ({error})") from error
            if row.step < self._newest:
                # In the first read, steps that go back are an error. Later they mean that a new
                # run has replaced the record.
                if not self._read:
                    raise BadInput(str(path), f"step {row.step} comes after step {self._newest}")
                self._reset()  # started again, and already longer than before
                return self.read_new_rows()
            self._newest = row.step
            self._columns.add(row)
        self._read += len(whole)
        return bool(whole)

    @property
    def record(self) -> Record:
        """All rows read so far, as a record."""
        environment = read_environment(self.folder)
        facts = decode_facts(environment.pop("facts", {}))
        return Record(self._columns.signals(), facts, environment, self.folder)

    def _reset(self) -> None:
        self._read, self._newest, self._columns = 0, -1, SignalBuffer()


def read_environment(folder: Path) -> dict[str, Any]:
    """Read a run's ``environment.json``; empty if it is missing or damaged."""
    try:
        data = json.loads((folder / ENVIRONMENT_FILE).read_bytes())
    except (OSError, ValueError):
        return {}
    return dict(data) if isinstance(data, Mapping) else {}
