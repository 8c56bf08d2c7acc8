"""A stranger's package: installed beside gandiag it takes part in everything, without an edit."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parents[1] / "example_plugin"
OURS = {
    "variants": "one_sided_critic",
    "probes": "outside",
    "detectors": "out_of_range",
    "fixes": "smaller_generator_step",
    "reporters": "markdown",
}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which pip has installed the example, built offline from a copy."""
    pytest.importorskip("setuptools", reason="the example's build backend")
    place = tmp_path_factory.mktemp("stranger")
    source, target = place / "source", place / "site"
    shutil.copytree(HERE, source)
    flags = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--target", str(target)]
    subprocess.run([sys.executable, "-m", "pip", "install", *flags, str(source)], check=True)
    return target


def gandiag(
    site: Path, folder: Path, *arguments: str, status: int = 0
) -> subprocess.CompletedProcess[str]:
    """Run a command where the stranger's package is installed."""
    env = {**os.environ, "PYTHONPATH": str(site), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "gandiag", *arguments]
    ran = subprocess.run(command, env=env, cwd=folder, capture_output=True, text=True, check=False)
    assert ran.returncode == status, ran.stderr
    return ran


def test_strangers_are_listed(installed: Path, tmp_path: Path) -> None:
    """Each plugin is listed with its summary and its options, unimported, and its package named."""
    found = json.loads(gandiag(installed, tmp_path, "list", "--json").stdout)
    strangers = {e["family"]: e for e in found if e["source"] == "gandiag-stranger"}
    assert {family: entry["name"] for family, entry in strangers.items()} == OURS
    assert strangers["variants"]["summary"].startswith("A critic whose slope is penalised above 1")
    assert [option["name"] for option in strangers["probes"]["options"]] == ["margin"]


def test_strangers_take_part(installed: Path, tmp_path: Path) -> None:
    """A scenario uses all five: built, observed, detected, treated and published."""
    scenario = str(HERE / "scenario.yaml")
    ran = gandiag(installed, tmp_path, "run", scenario, "--check", "--out", "out")
    assert "out of range (overshoot) since step" in ran.stderr
    assert str(Path("out", "report.md")) in ran.stdout
    page = (tmp_path / "out" / "report.md").read_text()
    assert page.startswith("## stranger\n")
    assert "- out_of_range: present." in page
    assert "- try smaller_generator_step: Divide the generator's learning rate" in page


def test_a_missing_stranger_is_told(tmp_path: Path) -> None:
    """Where the package is not installed, the scenario's line says what is missing."""
    ran = gandiag(tmp_path, tmp_path, "run", str(HERE / "scenario.yaml"), status=2)
    assert 'scenario.yaml:12: detection.detectors: no detector "out_of_range"' in ran.stderr
    assert len(ran.stderr.splitlines()) == 1
