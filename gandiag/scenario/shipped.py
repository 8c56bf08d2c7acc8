"""Finds scenarios: files, folders of runs, and the scenarios that come with gandiag."""

from __future__ import annotations

from pathlib import Path

from gandiag.plugins.errors import BadInput, suggest_nearest

SCENARIO_FILE = "scenario.yaml"


def list_shipped() -> dict[str, Path]:
    """Return the files of the scenarios that come with gandiag, by name."""
    package = Path(__file__).parent.parent
    inside = package / "scenarios"  # in an installed wheel; in a checkout, next to the package
    top = inside if inside.is_dir() else package.parent / "scenarios"
    files = sorted(top.rglob("*.yaml"), key=lambda file: (len(file.parts), file))
    return {file.relative_to(top).with_suffix("").as_posix(): file for file in files}


def find_scenario(name: str) -> Path:
    """Return the file of a scenario.

    Args:
        name: path of a file, path of a run's folder, or name of a shipped scenario.

    Raises:
        BadInput: there is no such scenario; the message has the nearest name.
    """
    path = Path(name)
    if path.is_dir() and (path / SCENARIO_FILE).is_file():
        return path / SCENARIO_FILE
    if path.is_file():
        return path
    known = list_shipped()
    if name in known:  # after the files, so that a file of the user with this name is preferred
        return known[name]
    if path.suffix in (".yaml", ".yml"):
        raise BadInput(name, f"no such file; shipped: {suggest_nearest(path.stem, known)}")
    raise BadInput(
        name, f"no scenario of that name, and no such file; {suggest_nearest(name, known)}"
    )
