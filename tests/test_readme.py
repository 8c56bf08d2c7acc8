"""README and guide keep their word: commands run, the map has every package, links lead somewhere.

Each ``gandiag`` command and Python block is executed, those of the README and then those of the
guide, in their order and in one empty folder, as they stand there but for the number of steps,
which is cut to `STEPS`. Commands that install, or run the tests, are compared with what ``make``
would run instead.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from click.testing import CliRunner

import gandiag
from gandiag.cli.main import main
from gandiag.monitoring.signals import signal_info
from gandiag.scenario.shipped import list_shipped
from tests.attachment.loops import build_loop
from tests.test_imports import ORDER

ROOT = Path(__file__).parents[1]
STEPS = 120  # of each run, in place of its scenario's
PAGES = tuple(f"reports/{name}.md" for name in ("README", "detection", "fixes", "treatment"))
DOCUMENTS = ("README.md", "GUIDE.md", "ATTACH.md", "CONTRIBUTING.md", "CHANGELOG.md", *PAGES)
README = (ROOT / "README.md").read_text(encoding="utf-8")
GUIDE = (ROOT / "GUIDE.md").read_text(encoding="utf-8")
BOTH = README + GUIDE
LARGEST = {".png": 250_000, ".gif": 1_000_000}  # bytes of a picture, by its format
OUTER = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")  # of the make that runs these tests, if one does


class Block(NamedTuple):
    """A fenced block: its language, and its text."""

    language: str
    text: str


def blocks(text: str) -> list[Block]:
    """The fenced blocks of a document, in order."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [Block(*block) for block in found]


def commands(text: str) -> list[str]:
    """The lines of a document's shell blocks."""
    shell = [block.text for block in blocks(text) if block.language in ("bash", "console", "sh")]
    return [line for line in "".join(shell).splitlines() if line]


def execute(line: str) -> None:
    """Run a ``gandiag`` command with few steps; assert that its status is one that it explains."""
    name, *arguments = shlex.split(line)
    assert name == "gandiag"
    if arguments[0] == "run":
        arguments += ["--steps", str(STEPS)]
    result = CliRunner().invoke(main, arguments)
    allowed = (0, 1, 3) if arguments[0] == "diagnose" else (0,)
    assert result.exit_code in allowed, f"{line}\n{result.output}\n{result.exception}"


def somebodys_script() -> dict[str, Any]:
    """What a script of one's own has made before it attaches."""
    played = build_loop("real_fake_then_generator")
    names = ("generator", "discriminator", "generator_optimizer", "discriminator_optimizer")
    return {name: getattr(played, name) for name in names} | {
        "train": lambda: played.train(played, STEPS)
    }


def execute_python(text: str) -> None:
    """Run a Python block, with what a script of one's own has where the block attaches to it."""
    attaches = "gandiag.attach" in text
    names = somebodys_script() if attaches else {}
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(text, "README.md and GUIDE.md", "exec"), names)
    if attaches:
        assert "mode collapse" in printed.getvalue()
        assert Path("reports/attached/report.html").is_file()
    else:
        assert len(names["steps"]) == len(names["loss"]) > 0
        assert printed.getvalue().count("\n") == len(names["report"].diagnoses)


def test_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What README and guide tell to type works in this order in an empty folder, Python too."""
    monkeypatch.chdir(tmp_path)
    play = gandiag.run

    def play_shortly(*given: Any, **changes: Any) -> Any:
        return play(*given, **{**changes, "training.steps": STEPS})

    monkeypatch.setattr(gandiag, "run", play_shortly)
    for block in blocks(BOTH):
        if block.language == "yaml":
            name = block.text.splitlines()[0].removeprefix("# ")
            Path(name).write_text(block.text, encoding="utf-8")
        elif block.language == "python":
            execute_python(block.text)
        elif block.language == "bash":
            for line in commands(f"```bash\n{block.text}```"):
                if line.startswith("gandiag "):
                    execute(line)
    assert len([line for line in commands(BOTH) if line.startswith("gandiag ")]) >= 10


def made(target: str) -> str:
    """What ``make`` would run for a target on a fresh clone, as one would type it."""
    command = ["make", "--dry-run", "--always-make", target, "VENV=.venv", "PYTHON=python3"]
    env = {name: value for name, value in os.environ.items() if name not in OUTER}
    ran = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    lines = ran.stdout.replace(".venv/bin/python -m pip", "pip").replace(" -q ", " ")
    return lines.replace(".venv/bin/", "")


@pytest.mark.parametrize("target", ["demo", "test"])
def test_make_does_what_is_written(target: str) -> None:
    """The block under a make target is what the target runs."""
    begin = README.index(f"`make {target}`")
    block = blocks(README[begin:])[0].text
    ran = made(target)
    for line in block.splitlines():
        if not line.startswith(". "):  # a shell's own affair
            assert line in ran, f"{line!r} is not in what make {target} runs:\n{ran}"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_make_targets_exist(document: str) -> None:
    """Whatever a document asks make to do, it can."""
    for line in commands((ROOT / document).read_text(encoding="utf-8")):
        if line.startswith("make "):
            made(line.removeprefix("make "))


def test_no_command_is_unchecked() -> None:
    """Every line of their shell blocks is executed, or compared with what make runs."""
    known = made("demo") + made("test") + "make demo\nmake test\n. .venv/bin/activate\n"
    for line in commands(BOTH):
        pinned = re.fullmatch(r"pip install torch==\S+ torchvision==\S+ --index-url \S+", line)
        assert line.startswith("gandiag ") or pinned or line in known, line


def test_torch_builds_are_the_pinned_ones() -> None:
    """The CPU builds are of the releases in constraints.txt: else pip replaces them."""
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    (torch,) = set(re.findall(r"torch==\S+", GUIDE))
    (torchvision,) = set(re.findall(r"torchvision==\S+", GUIDE))
    assert f"\n{torch};" in pins
    assert f"\n{torchvision};" in pins


def test_map_has_every_package_in_order() -> None:
    """CONTRIBUTING's map has one line for each package, in the order of the imports."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert re.findall(r"^gandiag/(\w+) ", text, re.MULTILINE) == ORDER


def anchors(text: str) -> set[str]:
    """What a page's headings are linked by: small letters, hyphens for spaces, no punctuation."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document: str) -> None:
    """Linked files and headings exist; a picture is small and says what it shows."""
    text = (ROOT / document).read_text(encoding="utf-8")
    for picture, label, target in re.findall(r"(!?)\[([^\]]*)\]\(([^)]+)\)", text):
        if not target.startswith("https://"):
            name, _, heading = target.partition("#")
            file = (ROOT / document).parent / name if name else ROOT / document
            assert file.exists(), target
            assert not heading or heading in anchors(file.read_text(encoding="utf-8")), target
            if picture:
                assert len(label) > 40, f"{target} needs words for those who do not see it"
                assert file.stat().st_size <= LARGEST[file.suffix]


def test_every_scenario_has_a_row() -> None:
    """The table has the shipped scenarios but for lessons, with their number of steps."""
    rows = re.findall(r"^\| `(\w+)` \|.*\| ([\d,]+) \| (\d+) \|$", BOTH, re.MULTILINE)
    steps = {name: int(count.replace(",", "")) for name, count, _ in rows}
    found = list_shipped()
    assert steps == {
        name: gandiag.Scenario.load(path).training.steps
        for name, path in found.items()
        if not name.startswith("lessons/")
    }


def test_shown_signals_exist() -> None:
    """The printed diagnosis names signals that gandiag records."""
    shown = re.findall(r"^ +(\w+/\w+/(?:generator|discriminator))$", GUIDE, re.MULTILINE)
    assert shown
    assert all(signal_info(signal) is not None for signal in shown)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_documents_name_no_machine(document: str) -> None:
    """No path of the machine that it was written on."""
    text = (ROOT / document).read_text(encoding="utf-8")
    assert not re.search(r"(?<![\w.])/(?:home|root|work|tmp|Users|opt)/", text)
