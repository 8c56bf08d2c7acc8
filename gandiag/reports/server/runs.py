"""The runs below a folder: phase, last step and verdict of each, without reading whole records."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

from gandiag.plugins.errors import BadInput
from gandiag.records.facts import read_environment
from gandiag.records.json_input import read_json_file
from gandiag.records.record import ENVIRONMENT_FILE, SIGNALS_FILE
from gandiag.records.storage import decode_row
from gandiag.reports.formatting import DIAGNOSES_FILE, MARKS
from gandiag.scenario.shipped import SCENARIO_FILE

RunPhase = Literal["running", "finished", "ended early", "stalled", "broken"]

STALLED_AFTER = 60.0  # seconds without a new row after which an unfinished run counts as stalled
TAIL_BYTES = 65_536  # bytes at the end of a record that are searched first for its last row


class RunSummary(NamedTuple):
    """A run, as far as the files in its folder show it.

    Attributes:
        name: path of its folder, relative to the folder that is served.
        phase: *running* (the newest row is less than a minute old), *finished*, *ended early*
            (before the planned number of steps), *stalled* (no new row for a minute), or *broken*
            (the record cannot be read).
        step: newest generator step.
        planned_steps: number of planned generator steps; None if unknown.
        statuses: status of each failure in ``diagnoses.json``; empty without such a file, or if
            the file is older than the record of an unfinished run.
        verdict: the verdict in ``diagnoses.json``; empty in the same cases.
        changed: time of the last change of the record, seconds since the epoch.
    """

    name: str
    phase: RunPhase
    step: int
    planned_steps: int | None
    statuses: Mapping[str, str]
    verdict: str
    changed: float


def list_runs(folder: Path) -> list[RunSummary]:
    """List every run below a folder, the most recently changed first.

    Folders that cannot be read are left out, and links to folders are not followed.
    """
    now = time.time()
    found = []
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if SIGNALS_FILE in files:
            folders.clear()  # a run's folder contains no other runs
            found.append(summarize_run(folder, Path(place), now))
    return sorted(found, key=lambda run: (-run.changed, run.name))


def find_run(folder: Path, name: str) -> Path:
    """Find the folder of a run by its name.

    A name comes from a web address: it must not lead outside the folder that is served.

    Raises:
        BadInput: there is no run of that name below `folder`.
    """
    place = (folder / name).resolve()
    if not place.is_relative_to(folder.resolve()) or not _holds_record(place):
        raise BadInput(name, "no such run")
    return place


def _holds_record(place: Path) -> bool:
    """Whether a folder has a record, and none of its files is a link to another folder.

    A run may come from a third party: its files must not show others of this computer.
    """
    names = (SIGNALS_FILE, ENVIRONMENT_FILE, DIAGNOSES_FILE, SCENARIO_FILE)
    inside = all((place / name).resolve().parent == place.resolve() for name in names)
    return inside and (place / SIGNALS_FILE).is_file()


def summarize_run(folder: Path, place: Path, now: float) -> RunSummary:
    """Summarize the run in the folder `place`, at the time `now` (epoch seconds)."""
    name = place.relative_to(folder).as_posix() if place != folder else "."
    try:
        if not _holds_record(place):
            raise ValueError("a link, or no regular file")
        changed = (place / SIGNALS_FILE).stat().st_mtime
        step = _read_newest_step(place / SIGNALS_FILE)
    except (OSError, ValueError):
        return RunSummary(name, "broken", 0, None, {}, "", 0.0)
    try:
        environment, facts = read_environment(place / ENVIRONMENT_FILE)
    except BadInput:  # the record is there, and its page will show what is wrong
        environment, facts = {}, {}
    planned = facts.get("steps")
    trained = environment.get("steps_played")  # written when a run ends, not before
    has_ended = isinstance(trained, int)
    # Copying a folder can change the times of its files, which matter only while a run goes on.
    diagnoses = _read_verdict(place, 0.0 if has_ended else changed)
    phase: RunPhase
    if isinstance(trained, int):
        phase = "ended early" if planned is not None and trained < planned else "finished"
        step = trained
    elif now - changed < STALLED_AFTER:
        phase = "running"
    else:  # an attached loop has no planned number of steps, but is diagnosed at its end
        phase = "finished" if diagnoses and planned is None else "stalled"
    statuses, verdict = diagnoses.get("statuses", {}), diagnoses.get("verdict", "")
    return RunSummary(name, phase, step, planned, statuses, verdict, changed)


def _read_newest_step(path: Path) -> int:
    """Read the step of the last complete row; 0 if there is none."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        span = min(TAIL_BYTES, size)
        while True:
            file.seek(size - span)
            # Three parts: the text before the last complete row, this row, and what follows its
            # line end, which is empty or a row that is still being written.
            lines = file.read(span).rsplit(b"\n", 2)
            if len(lines) == 3 or span == size:
                break
            span = min(4 * span, size)  # the last row is longer than the span
    whole = lines[-2] if len(lines) > 1 else b""
    return decode_row(whole)[0] if whole else 0


def _read_verdict(place: Path, since: float) -> dict[str, Any]:
    """Read ``diagnoses.json``; empty if the file is damaged or older than `since`."""
    path = place / DIAGNOSES_FILE
    try:
        if path.stat().st_mtime < since:
            return {}
        data = read_json_file(path)
        statuses = {str(d["condition"]): str(d["status"]) for d in data["diagnoses"]}
        # A status that gandiag does not know has neither a mark nor a colour.
        known = {name: status for name, status in statuses.items() if status in MARKS}
        return {"verdict": str(data["verdict"]), "statuses": known}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
