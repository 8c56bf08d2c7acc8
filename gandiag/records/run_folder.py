"""The folder of a run: where it is, which files it has, and which of them reporters wrote."""

from __future__ import annotations

import json
import shutil
from contextlib import suppress
from pathlib import Path

from gandiag.plugins.errors import BadInput
from gandiag.records.claim import Claim, FolderInUse, is_used
from gandiag.scenario.shipped import SCENARIO_FILE

RUNS_FOLDER = Path("reports")  # in the current folder
#: Files and folders that belong to the record; all others in a run's folder are reports.
RECORD_FILES = (
    "signals.jsonl",
    "pages",
    "environment.json",
    SCENARIO_FILE,
    "samples",
    "checkpoints",
)
#: State from which an interrupted run goes on; a run that is complete has none.
STATE_FILE = "checkpoints/resume.safetensors"


def claim_run_folder(folder: Path, place: str, overwrite: bool) -> Claim:
    """Claim the folder of a new run, see `gandiag.records.claim`.

    Args:
        folder: folder that the user chose.
        place: what error messages name, such as ``--out mine``.
        overwrite: whether an earlier run in the folder may be replaced.

    Raises:
        BadInput: the folder is a file or a link, another run writes into it, it has a record and
            `overwrite` is false, or one of its files is a link.
        OSError: the folder cannot be written.
    """
    claim = Claim(folder, place)
    try:
        # Checked under the claim: a run that has just ended may have left a record.
        if has_record(folder) and not overwrite:
            hint = "add --overwrite (overwrite=True in Python), or give another folder"
            raise BadInput(place, f"holds a record; {hint}")
        # A link would lead the new run's files, or the removal of old ones, out of the folder.
        for name in RECORD_FILES:
            if (folder / name).is_symlink():
                raise BadInput(place, f"has a link in place of {name}; give another folder")
    except BaseException:
        claim.release()
        raise
    return claim


def choose_folder(name: str, seed: int, out: Path | None, overwrite: bool) -> tuple[Claim, str]:
    """Choose and claim the folder of a new run.

    Args:
        name: the scenario's name.
        seed: the run's seed.
        out: folder that the user chose, or None for ``reports/NAME/SEED``; if that is in use, a
            number is added to the seed, so that no run is lost by repeating a command.
        overwrite: whether an earlier run in the folder may be replaced.

    Returns:
        The claim of the folder, and a note for the user if a number was added, else an empty
        string.

    Raises:
        BadInput: as `claim_run_folder`.
        OSError: the folder cannot be written.
    """
    if out is not None:
        return claim_run_folder(out, f"--out {out}", overwrite), ""
    wanted = RUNS_FOLDER / name / str(seed)
    if overwrite:
        return claim_run_folder(wanted, str(wanted), overwrite), ""
    folder, number = wanted, 1
    while True:
        if not is_used(folder):
            with suppress(FolderInUse):
                claim = claim_run_folder(folder, str(folder), overwrite)
                # Checked again: a run that began at the same time may have ended before the claim.
                if not is_used(folder):
                    return claim, "" if number == 1 else f"{wanted} holds an earlier run"
                claim.release()
        number += 1
        folder = wanted.with_name(f"{seed}-{number}")


def has_record(folder: Path) -> bool:
    """Whether a folder has a record."""
    return (folder / RECORD_FILES[0]).is_file()


def is_complete(folder: Path) -> bool:
    """Whether the run in a folder has ended by itself, and was not interrupted."""
    try:
        environment = json.loads((folder / "environment.json").read_bytes())
        return "steps_played" in environment and "interrupted" not in environment
    except (OSError, ValueError, TypeError):
        return False


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
