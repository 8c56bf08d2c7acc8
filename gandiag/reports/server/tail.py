"""A record on disk that is read on while somebody writes it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gandiag.plugins.errors import BadInput
from gandiag.records.record import ENVIRONMENT_FILE, SIGNALS_FILE, SignalBuffer, Record, Row
from gandiag.records.storage import decode_facts, decode_row


class RecordTail:
    """The record in a folder, of which each look reads what is new.

    Args:
        folder: a run's folder. Nothing is ever written to it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._read = 0  # bytes
        self._newest = -1  # step
        self._columns = SignalBuffer()

    def read_new_rows(self) -> bool:
        """Read on; return whether there was anything new.

        A line that is still being written waits for the next look. A record that was begun anew is
        read anew.

        Raises:
            BadInput: there is no record any more, or a line of it is damaged.
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
        whole = new[: new.rfind(b"\n") + 1]
        for line in whole.splitlines():
            try:
                row = Row(*decode_row(line))
            except ValueError as error:
                raise BadInput(str(path), f"not a row of a record ({error})") from error
            if row.step < self._newest:
                if not self._read:
                    raise BadInput(str(path), f"step {row.step} comes after step {self._newest}")
                self._reset()  # begun anew, and longer than before already
                return self.read_new_rows()
            self._newest = row.step
            self._columns.add(row)
        self._read += len(whole)
        return bool(whole)

    @property
    def record(self) -> Record:
        """All that was read so far."""
        environment = read_environment(self.folder)
        facts = decode_facts(environment.pop("facts", {}))
        return Record(self._columns.signals(), facts, environment, self.folder)

    def _reset(self) -> None:
        self._read, self._newest, self._columns = 0, -1, SignalBuffer()


def read_environment(folder: Path) -> dict[str, Any]:
    """What a run's folder says about where it was made; empty where it says nothing."""
    try:
        data = json.loads((folder / ENVIRONMENT_FILE).read_bytes())
    except (OSError, ValueError):
        return {}
    return dict(data) if isinstance(data, Mapping) else {}
