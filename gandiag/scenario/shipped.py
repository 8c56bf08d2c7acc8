"""Finds scenarios: files, run folders, and those that come with gandiag."""

from __future__ import annotations

from pathlib import Path

from gandiag.plugins.errors import BadInput, suggest_nearest

SCENARIO_FILE = "scenario.yaml"


def list_shipped() -> dict[str, Path]:
    """The scenarios that come with gandiag, by name."""
    package = Path(__file__).parent.parent
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
    if path.is_dir() and (path / SCENARIO_FILE).is_file():
        return path / SCENARIO_FILE
    if path.is_file():
        return path
    known = list_shipped()
    if name in known:
        return known[name]
    if path.suffix in (".yaml", ".yml"):
        raise BadInput(name, f"no such file; shipped: {suggest_nearest(path.stem, known)}")
    raise BadInput(
        name, f"no scenario of that name, and no such file; {suggest_nearest(name, known)}"
    )
