"""Where scenarios are found and where runs go."""

from __future__ import annotations

import shutil
from pathlib import Path

from gandiag.plugins.errors import BadInput
from gandiag.scenario.shipped import SCENARIO

RUNS = Path("reports")
RECORD = ("signals.jsonl", "environment.json", SCENARIO, "samples", "checkpoints")


def folder_for(name: str, seed: int, out: Path | None, overwrite: bool) -> tuple[Path, str]:
    """Where a run goes, and a note where that is not where one would look for it.

    Raises:
        BadInput: `out` holds a record and is not to be overwritten, or is a file.
    """
    if out is not None:
        if out.exists() and not out.is_dir():
            raise BadInput(f"--out {out}", "is a file; name a folder")
        if holds_run(out) and not overwrite:
            raise BadInput(
                f"--out {out}", "holds a record; add --overwrite, or name another folder"
            )
        return out, ""
    wanted = RUNS / name / str(seed)
    if overwrite or not _used(wanted):
        return wanted, ""
    number = 2
    while _used(free := wanted.with_name(f"{seed}-{number}")):
        number += 1
    return free, f"{wanted} holds an earlier run"


def holds_run(folder: Path) -> bool:
    """Whether there is a record in a folder."""
    return (folder / RECORD[0]).is_file()


def clear(folder: Path) -> None:
    """Take away an earlier run's files, so that none of them is taken for the new one's."""
    for name in ("diagnoses.json", "report.html", "film.gif"):
        (folder / name).unlink(missing_ok=True)
    for sheet in (folder / "samples").glob("step-*"):
        sheet.unlink()
    shutil.rmtree(folder / "checkpoints", ignore_errors=True)


def reports_in(folder: Path) -> list[Path]:
    """What reporters have written into a run's folder since its record was complete."""
    complete = (folder / "environment.json").stat().st_mtime_ns
    return sorted(
        path
        for path in folder.iterdir()
        if path.name not in RECORD
        and not path.name.startswith(".")
        and path.stat().st_mtime_ns >= complete
    )


def relative(place: str | Path) -> str:
    """A path as seen from here, where it lies below; a URL as it is."""
    if "://" in str(place):
        return str(place)
    try:
        return str(Path(place).resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(place)


def _used(folder: Path) -> bool:
    return folder.exists() and (not folder.is_dir() or any(folder.iterdir()))
