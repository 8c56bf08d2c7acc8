"""Every script of ATTACH.md runs, shortened to a few steps."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "ATTACH.md").read_text(encoding="utf-8")
SCRIPTS = {
    title: block
    for title, block in re.findall(r"## ([^\n]+)\n(?:(?!## ).)*?```python\n(.*?)```", PAGE, re.S)
}


def test_there_are_seven_loops() -> None:
    """The page contains the seven loops that it announces, each with its number of steps."""
    assert len(SCRIPTS) == 7
    assert all(re.search(r"^steps\b.* = ", script, re.M) for script in SCRIPTS.values())


@pytest.mark.parametrize("title", SCRIPTS)
def test_loop_runs(title: str, tmp_path: Path) -> None:
    """A script runs unchanged except for its number of steps; only Lightning may warn."""
    if title == "Lightning":
        pytest.importorskip("lightning")
    script, replaced = re.subn(r"^(steps\b.*? = )\d+", r"\g<1>60", SCRIPTS[title], flags=re.M)
    assert replaced == 1
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    strict = [] if title == "Lightning" else ["-W", "error"]
    done = subprocess.run(
        [sys.executable, *strict, "-c", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    if "folder=" in script:
        assert list(tmp_path.glob("reports/*/report.html"))
