"""What is built from the checkout: a wheel that works where there is no checkout."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

from gandiag.scenario.shipped import list_shipped

ROOT = Path(__file__).parents[1]
LARGEST = 4_000_000  # bytes of a wheel
PARTS = (
    "gandiag/datasets/assets/ATTRIBUTION.md",
    "gandiag/datasets/assets/mnist.npz",
    "gandiag/datasets/assets/mnist_classifier.safetensors",
    "gandiag/datasets/assets/oracle_classifier.safetensors",
    "gandiag/benchmarks/detection.yaml",
    "gandiag/py.typed",
    "gandiag/reports/page/explore.js",
    "gandiag/reports/page/page.css",
    "gandiag/reports/page/page.html.j2",
    "gandiag/reports/page/pair.html.j2",
    "gandiag/reports/page/parts.html.j2",
)


def build(source: Path, into: Path) -> tuple[Path, Path]:
    """The wheel and the sdist of a source tree, built offline in this environment."""
    pytest.importorskip("hatchling", reason="the build backend")
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(into)]
    subprocess.run(command, cwd=source, check=True, capture_output=True, timeout=120)
    (wheel,), (sdist,) = into.glob("*.whl"), into.glob("*.tar.gz")
    return wheel, sdist


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """What is built from this checkout."""
    return build(ROOT, tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def files(built: tuple[Path, Path]) -> set[str]:
    """The wheel's files."""
    with zipfile.ZipFile(built[0]) as wheel:
        return set(wheel.namelist())


@pytest.fixture(scope="module")
def metadata(built: tuple[Path, Path], files: set[str]) -> Message:
    """What the wheel says about itself."""
    (name,) = (file for file in files if file.endswith(".dist-info/METADATA"))
    with zipfile.ZipFile(built[0]) as wheel:
        return Parser().parsestr(wheel.read(name).decode())


def test_wheel_holds_what_is_read(files: set[str]) -> None:
    """Data, page, styles and the mark of a typed package are in the wheel, and every module."""
    assert set(PARTS) <= files
    package = ROOT / "gandiag"
    assert {path.relative_to(ROOT).as_posix() for path in package.rglob("*.py")} <= files


def test_wheel_holds_every_scenario(files: set[str]) -> None:
    """The shipped scenarios lie inside the package, under the names that the checkout has."""
    inside = "gandiag/scenarios/"
    found = {file.removeprefix(inside) for file in files if file.startswith(inside)}
    there = {path.relative_to(ROOT / "scenarios").as_posix() for path in list_shipped().values()}
    # Each lesson has its text beside the scenario.
    assert found == there | {name.replace(".yaml", ".md") for name in there if "lessons/" in name}


def test_wheel_holds_nothing_else(built: tuple[Path, Path], files: set[str]) -> None:
    """No tests, no caches, no runs; nobody waits long for it."""
    tops = {file.split("/")[0] for file in files}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"gandiag"}
    assert not [file for file in files if re.search(r"(^|/)tests?/|__pycache__|\.pyc$", file)]
    assert built[0].stat().st_size < LARGEST


def test_wheel_names_both_licences(metadata: Message, files: set[str]) -> None:
    """The code's licence and that of the data are named, and their texts are in the wheel."""
    assert metadata["License-Expression"] == "MIT AND CC-BY-SA-3.0"
    named = metadata.get_all("License-File")
    assert named is not None
    for licence in named:
        assert any(file.endswith(f".dist-info/licenses/{licence}") for file in files)
    assert {Path(licence).name for licence in named} == {"LICENSE", "ATTRIBUTION.md"}


def test_tools_are_not_required(metadata: Message) -> None:
    """Who only uses gandiag installs no test tools."""
    needed = metadata.get_all("Requires-Dist") or []
    always = {re.split(r"[^\w-]", each)[0] for each in needed if "extra ==" not in each}
    assert "torch" in always
    assert not always & {"pytest", "hypothesis", "ruff", "mypy", "playwright", "hatchling"}


def test_wheel_works_alone(built: tuple[Path, Path], tmp_path: Path) -> None:
    """Away from the checkout, a shipped scenario is found, played and reported on."""
    site, here = tmp_path / "site", tmp_path / "here"
    here.mkdir()
    with zipfile.ZipFile(built[0]) as wheel:
        wheel.extractall(site)
    env = {**os.environ, "PYTHONPATH": str(site), "OMP_NUM_THREADS": "1"}
    code = "import gandiag, sys; sys.stdout.write(gandiag.__file__)"
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=here, env=env, capture_output=True, text=True, check=True
    )
    assert Path(ran.stdout).is_relative_to(site)
    command = [sys.executable, "-m", "gandiag", "run", "mode_collapse_cured", "--steps", "4"]
    ran = subprocess.run(command, cwd=here, env=env, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert (here / "reports" / "mode_collapse_cured" / "0" / "report.html").is_file()


# An environment in which these packages are not installed.
WITHOUT_TORCH = """
import sys

class NotInstalled:
    def find_spec(self, name, path=None, target=None):
        if name in ("torch", "torchvision", "wandb"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, NotInstalled())
from gandiag.cli.main import main
main()
"""


@pytest.mark.parametrize("command", [("diagnose", "log.csv"), ("report", "run", "--to", "html")])
def test_torch_is_not_needed_for_records(command: tuple[str, ...], tmp_path: Path) -> None:
    """Where torch is not installed, logs and saved runs are diagnosed and reported."""
    text = "step,d_loss,g_loss\n" + "".join(f"{n},0.001,7.0\n" for n in range(0, 3000, 10))
    (tmp_path / "log.csv").write_text(text, encoding="utf-8")
    shutil.copytree(ROOT / "tests" / "recorded_runs" / "healthy", tmp_path / "run")
    ran = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, *command],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in ran.stderr
    assert ran.returncode in (0, 1, 3), ran.stderr  # statuses of a diagnosis
    assert command[0] == "diagnose" or (tmp_path / "run" / "report.html").is_file()


def test_sdist_builds_the_same_wheel(
    built: tuple[Path, Path], files: set[str], tmp_path: Path
) -> None:
    """A wheel that somebody builds from the sdist holds what ours does."""
    with tarfile.open(built[1]) as sdist:
        names = [member.name for member in sdist.getmembers()]
        tops = {name.split("/")[1] for name in names}
        assert "tests" not in tops
        text = (ROOT / "README.md").read_text(encoding="utf-8")
        linked = {link for link in re.findall(r"\]\(([^)#]+)", text) if "//" not in link}
        assert linked <= {name.split("/", 1)[1] for name in names}, "the README links to these"
        sdist.extractall(tmp_path, filter="data")
    (source,) = tmp_path.iterdir()
    wheel, _ = build(source, tmp_path / "dist")
    with zipfile.ZipFile(wheel) as again:
        assert set(again.namelist()) == files


def test_checkout_finds_its_scenarios() -> None:
    """Installed with ``-e``, gandiag lists the files next to the package."""
    files = {path.stem: path for path in (ROOT / "scenarios").rglob("*.yaml")}
    assert {path.name for path in list_shipped().values()} == {path.name for path in files.values()}
    assert all(path.is_relative_to(ROOT / "scenarios") for path in list_shipped().values())


def test_pins_cover_every_requirement() -> None:
    """Each package that pyproject.toml names has a version in constraints.txt, and back."""
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    asked = re.findall(r'^ {4}"([\w-]+)>=', project, re.MULTILINE)
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = {line.split("==")[0].lower() for line in lines if not line.startswith("#")}
    assert {name.lower() for name in asked} <= pins
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+; python_version >= \"3.11\"", x) for x in lines[2:])
