"""Reads the databases of trackio, in which a project keeps its runs."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gandiag.plugins.errors import BadInput
from gandiag.records.readers._table import build_record, collect_columns
from gandiag.records.readers.json_lines import flatten_numbers
from gandiag.records.record import Record

MAGIC = b"SQLite format 3\0"  # first bytes of every SQLite database
MAX_SECONDS = 4.0  # of a query; a database may define a table by a query that never ends
CALLBACK = 100_000  # SQLite's instructions between two readings of the clock


@dataclass(frozen=True)
class Trackio:
    """A project of trackio: its `.db` file, as it is in ~/.cache/huggingface/trackio.

    Of several runs the newest one is read; `run=NAME` as an option of the reader chooses another.
    """

    # This run is read; empty means the newest one.
    run: str = ""

    def recognises(self, path: Path) -> bool:
        """Whether the file is a database of SQLite."""
        if not path.is_file():
            return False
        with contextlib.suppress(OSError), path.open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
        return False

    def read(self, path: Path, columns: Mapping[str, str]) -> Record:
        """Read all metrics of one run."""
        try:
            rows = list(_read_rows(path))
        # SQLite's messages quote bytes of the file, which need not be text.
        except (sqlite3.Error, OverflowError, UnicodeError) as error:
            raise BadInput(str(path), f"not a database of trackio ({error})") from error
        names = list(dict.fromkeys(name for name, _, _ in rows))
        if not names or (self.run and self.run not in names):
            what = f"has no run {self.run}" if names else "has no metrics"
            raise BadInput(str(path), what)
        chosen = self.run or names[-1]
        found = [
            {"step": float(step), **flatten_numbers(metrics, "/")}
            for name, step, metrics in rows
            if name == chosen
        ]
        record = build_record(collect_columns(found), path, "trackio", columns)
        others = ", ".join(name for name in names if name != chosen)
        note = f"The run is {chosen}" + (f"; the other runs are {others}" if others else "")
        record.environment["log"]["notes"].append(f"{note}.")
        return record


def _read_rows(path: Path) -> Iterator[tuple[str, int, dict[str, Any]]]:
    """Name of the run, step and metrics of each row, in the order in which they were logged."""
    # The database is opened for reading alone, so that no journal appears beside it.
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
    with contextlib.closing(connection):
        deadline = time.monotonic() + MAX_SECONDS
        connection.text_factory = lambda data: data.decode(errors="replace")
        connection.set_progress_handler(lambda: time.monotonic() > deadline, CALLBACK)
        for name, step, text in connection.execute(
            "SELECT run_name, step, metrics FROM metrics ORDER BY id"
        ):
            with contextlib.suppress(ValueError, RecursionError, TypeError):
                metrics = json.loads(text)
                if isinstance(metrics, dict) and isinstance(step, int):
                    yield str(name), step, metrics
