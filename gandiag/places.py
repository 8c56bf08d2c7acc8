"""Where scenarios are found and where runs go."""

from __future__ import annotations

import shutil
from pathlib import Path

from gandiag.errors import BadInput, nearest

__all__ = ["clear", "find_scenario", "folder_for", "holds_run", "relative", "reports_in", "shipped"]

RUNS = Path("reports")
SCENARIO = "scenario.yaml"
RECORD = ("signals.jsonl", "environment.json", SCENARIO, "samples", "checkpoints")


def shipped() -> dict[str, Path]:
    """The scenarios that come with gandiag, by name."""
    package = Path(__file__).parent
    inside = package / "scenarios"  # a wheel's; in a checkout they lie next to the package
    top = inside if inside.is_dir() else package.parent / "scenarios"
    files = sorted(top.rglob("*.yaml"), key=lambda file: (len(file.parts), file))
    return {file.relative_to(top).with_suffix("").as_posix(): file for file in files}


def find_scenario(name: str) -> Path:
    """The file that `name` means: a file, a run's folder to be played again, or a shipped one.

    Raises:
        BadInput: there is no such scenario; the nearest names are told.
    """
    path = Path(name)
    if path.is_dir() and (path / SCENARIO).is_file():
        return path / SCENARIO
    if path.is_file():
        return path
    known = shipped()
    if name in known:
        return known[name]
    if path.suffix in (".yaml", ".yml"):
        raise BadInput(name, f"no such file; shipped: {nearest(path.stem, known)}")
    raise BadInput(name, f"no scenario of that name, and no such file; {nearest(name, known)}")


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
