"""A third-party package: once installed, its plugins work like built-in ones."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parents[1] / "example_plugin"
PLUGINS = {
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
    place = tmp_path_factory.mktemp("example")
    source, target = place / "source", place / "site"
    shutil.copytree(HERE, source)
    flags = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--target", str(target)]
    subprocess.run([sys.executable, "-m", "pip", "install", *flags, str(source)], check=True)
    return target


def gandiag(
    site: Path, folder: Path, *arguments: str, status: int = 0
) -> subprocess.CompletedProcess[str]:
    """Run a command in an environment with the example package."""
    env = {**os.environ, "PYTHONPATH": str(site), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "gandiag", *arguments]
    ran = subprocess.run(command, env=env, cwd=folder, capture_output=True, text=True, check=False)
    assert ran.returncode == status, ran.stderr
    return ran


def test_third_party_plugins_are_listed(installed: Path, tmp_path: Path) -> None:
    """Each plugin is listed with its summary, its options and the name of its package."""
    found = json.loads(gandiag(installed, tmp_path, "list", "--json").stdout)
    listed = {e["family"]: e for e in found if e["source"] == "gandiag-example"}
    assert {family: entry["name"] for family, entry in listed.items()} == PLUGINS
    assert listed["variants"]["summary"].startswith("A critic with a penalty on gradient norms")
    assert [option["name"] for option in listed["probes"]["options"]] == ["margin"]


def test_third_party_plugins_work(installed: Path, tmp_path: Path) -> None:
    """A scenario uses all five plugins: it builds, measures, detects, advises and publishes."""
    scenario = str(HERE / "scenario.yaml")
    ran = gandiag(installed, tmp_path, "run", scenario, "--check", "--out", "out")
    assert "out of range (overshoot) since step" in ran.stderr
    assert str(Path("out", "report.md")) in ran.stdout
    page = (tmp_path / "out" / "report.md").read_text()
    assert page.startswith("## example\n")
    assert "- out_of_range: present." in page
    assert "- try smaller_generator_step: Divide the generator's learning rate" in page


def test_missing_packages_are_reported(tmp_path: Path) -> None:
    """Without the package, the message names the line of the scenario and the missing plugin."""
    ran = gandiag(tmp_path, tmp_path, "run", str(HERE / "scenario.yaml"), status=2)
    assert 'scenario.yaml:12: detection.detectors: no detector "out_of_range"' in ran.stderr
    assert len(ran.stderr.splitlines()) == 1
