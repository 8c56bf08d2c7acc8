"""The runs in a folder: what state each is in, and what was found; looked at, never read whole."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

from gandiag.plugins.errors import BadInput
from gandiag.records.record import SIGNALS_FILE
from gandiag.records.storage import decode_row
from gandiag.reports.server.tail import read_environment

RunPhase = Literal["running", "finished", "ended early", "silent", "broken"]

STALLED_AFTER = (
    60.0  # seconds without a new line after which a run that did not end is called silent
)
TAIL_BYTES = 65_536  # bytes at a record's end among which its last line is looked for, at first
DIAGNOSES = "diagnoses.json"


class RunSummary(NamedTuple):
    """A run as its folder shows it.

    Attributes:
        name: its folder, as seen from the folder that is served.
        state: running (a line is younger than a minute, and no end is noted), finished, ended
            early (before the planned step), silent, or broken (the record's end cannot be read).
        step: the newest one.
        planned: steps that were planned; None where nobody knows.
        statuses: of each condition, as ``diagnoses.json`` has it; empty where there is none, or it
            is older than the record of a run that is not over.
        verdict: the same as a sentence.
        changed: when the record was last written to, seconds since the epoch.
    """

    name: str
    phase: RunPhase
    step: int
    planned_steps: int | None
    statuses: Mapping[str, str]
    verdict: str
    changed: float


def list_runs(folder: Path) -> list[RunSummary]:
    """Every run below a folder, the newest first.

    Folders that cannot be entered are left out, links to folders are not followed.
    """
    now = time.time()
    found = []
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if SIGNALS_FILE in files:
            folders.clear()  # what lies in a run's folder is the run's
            found.append(summarize_run(folder, Path(place), now))
    return sorted(found, key=lambda run: (-run.changed, run.name))


def find_run(folder: Path, name: str) -> Path:
    """The folder of the run of that name.

    Raises:
        BadInput: there is no run of that name below `folder`.
    """
    place = (folder / name).resolve()
    if not place.is_relative_to(folder.resolve()) or not (place / SIGNALS_FILE).is_file():
        raise BadInput(name, "no such run")
    return place


def summarize_run(folder: Path, place: Path, now: float) -> RunSummary:
    """One run, its record lying in `place`, at the time `now`."""
    name = place.relative_to(folder).as_posix() if place != folder else "."
    try:
        changed = (place / SIGNALS_FILE).stat().st_mtime
        step = _read_newest_step(place / SIGNALS_FILE)
    except (OSError, ValueError):
        return RunSummary(name, "broken", 0, None, {}, "", 0.0)
    environment = read_environment(place)
    facts = environment.get("facts")
    planned = facts.get("steps") if isinstance(facts, Mapping) else None
    planned = planned if isinstance(planned, int) else None
    played = environment.get("steps_played")
    # of a run that is over it holds however a copy changed the times
    said = _read_verdict(place, 0.0 if isinstance(played, int) else changed)
    if isinstance(played, int):
        state: RunPhase = "ended early" if planned is not None and played < planned else "finished"
    elif now - changed < STALLED_AFTER:
        state = "running"
    else:
        state = "finished" if said and planned is None else "silent"
    step = played if isinstance(played, int) else step
    told = said.get("statuses", {}), said.get("verdict", "")
    return RunSummary(name, state, step, planned, *told, changed)


def _read_newest_step(path: Path) -> int:
    """The step of the last whole line; 0 where there is none."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        span = min(TAIL_BYTES, size)
        while True:
            file.seek(size - span)
            lines = file.read(span).rsplit(b"\n", 2)
            if len(lines) == 3 or span == size:
                break
            span = min(4 * span, size)  # its last line is longer than that
    whole = lines[-2] if len(lines) > 1 else b""
    return decode_row(whole)[0] if whole else 0


def _read_verdict(place: Path, since: float) -> dict[str, Any]:
    """Verdict and statuses of ``diagnoses.json``; empty where it is damaged or before `since`."""
    path = place / DIAGNOSES
    try:
        if path.stat().st_mtime < since:
            return {}
        data = json.loads(path.read_bytes())
        statuses = {str(d["condition"]): str(d["status"]) for d in data["diagnoses"]}
        return {"verdict": str(data["verdict"]), "statuses": statuses}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
