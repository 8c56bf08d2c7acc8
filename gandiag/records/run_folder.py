"""The folder of a run: where it is, which files it has, and which of them reporters wrote."""

from __future__ import annotations

import shutil
from pathlib import Path

from gandiag.plugins.errors import BadInput
from gandiag.scenario.shipped import SCENARIO_FILE

RUNS_FOLDER = Path("reports")  # in the current folder
#: Files and folders that belong to the record; all others in a run's folder are reports.
RECORD_FILES = ("signals.jsonl", "environment.json", SCENARIO_FILE, "samples", "checkpoints")


def choose_folder(name: str, seed: int, out: Path | None, overwrite: bool) -> tuple[Path, str]:
    """Choose the folder of a new run.

    Args:
        name: the scenario's name.
        seed: the run's seed.
        out: folder that the user chose, or None for ``reports/NAME/SEED``; if that is in use, a
            number is added to the seed, so that no run is lost by repeating a command.
        overwrite: whether an earlier run in the folder may be replaced.

    Returns:
        The folder, and a note for the user if a number was added; else an empty string.

    Raises:
        BadInput: `out` is a file, or has a record and `overwrite` is false.
    """
    if out is not None:
        if out.exists() and not out.is_dir():
            raise BadInput(f"--out {out}", "is a file; give a folder")
        if has_record(out) and not overwrite:
            raise BadInput(
                f"--out {out}", "holds a record; add --overwrite, or give another folder"
            )
        return out, ""
    wanted = RUNS_FOLDER / name / str(seed)
    if overwrite or not _is_used(wanted):
        return wanted, ""
    number = 2
    while _is_used(free := wanted.with_name(f"{seed}-{number}")):
        number += 1
    return free, f"{wanted} holds an earlier run"


def has_record(folder: Path) -> bool:
    """Whether a folder has a record."""
    return (folder / RECORD_FILES[0]).is_file()


def clear_folder(folder: Path) -> None:
    """Delete an earlier run's files that the new run may not replace, such as its last grids."""
    for name in ("diagnoses.json", "report.html", "film.gif"):
        (folder / name).unlink(missing_ok=True)
    for sample_grid in (folder / "samples").glob("step-*"):
        sample_grid.unlink()
    shutil.rmtree(folder / "checkpoints", ignore_errors=True)


def list_reports(folder: Path) -> list[Path]:
    """Files that reporters have written into a run's folder since its record was complete."""
    # A run writes its environment for the last time when its record is complete.
    complete = (folder / "environment.json").stat().st_mtime_ns
    return sorted(
        path
        for path in folder.iterdir()
        if path.name not in RECORD_FILES
        and not path.name.startswith(".")
        and path.stat().st_mtime_ns >= complete
    )


def format_path(path: str | Path) -> str:
    """A path relative to the current folder if it is below; other paths and URLs unchanged."""
    if "://" in str(path):
        return str(path)
    try:
        return str(Path(path).resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _is_used(folder: Path) -> bool:
    return folder.exists() and (not folder.is_dir() or any(folder.iterdir()))
