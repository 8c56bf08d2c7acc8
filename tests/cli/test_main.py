"""The command line: the output of each command, its stream, and the exit status."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from gandiag.cli.main import main
from gandiag.cli.progress import RunProgress
from gandiag.diagnosis.diagnosis import Diagnosis
from gandiag.records.record import Row
from gandiag.scenario.shipped import list_shipped

TINY = """\
data: {ring: {samples: 300, held_out: 300}}
variant: {vanilla: {width: 8, latent_size: 2}}
training: {steps: 60, batch_size: 32}
probes: {diversity: {every: 20}}
reporters: []
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder that holds ``tiny.yaml``."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(TINY)
    return tmp_path


def gandiag(*arguments: str) -> Result:
    """Run a command in this process; standard output and standard error are kept separately."""
    return CliRunner().invoke(main, arguments)


def in_a_process(code: str) -> str:
    """Run code in a fresh interpreter and return what it prints."""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return ran.stdout.strip()


def test_run_writes_its_record(here: Path) -> None:
    """A run writes its record to reports/NAME/SEED and prints its diagnosis and the folder."""
    result = gandiag("run", "tiny.yaml", "--seed", "3")
    assert result.exit_code == 0, result.output
    folder = here / "reports" / "tiny" / "3"
    assert (folder / "scenario.yaml").is_file()
    assert "tiny" in result.stdout
    assert str(Path("reports", "tiny", "3")) in result.stdout
    assert str(here) not in result.stdout


def test_progress_without_a_terminal(here: Path) -> None:
    """Without a terminal, a run prints plain lines on standard error, each of them once."""
    lines = gandiag("run", "tiny.yaml").stderr.splitlines()
    assert lines[0] == f"tiny, seed 0 -> {Path('reports', 'tiny', '0')}"
    assert lines[-1].startswith("step 60/60  loss D ")
    assert "D(real)" in lines[-1]
    assert "diversity" in lines[-1]
    assert "steps/s" in lines[-1]
    assert len(lines) <= 11
    assert len(lines) == len(set(lines))


def test_records_are_never_overwritten(here: Path) -> None:
    """The second run of a scenario is saved in SEED-2, with a note; the first stays unchanged."""
    gandiag("run", "tiny.yaml")
    first = here / "reports" / "tiny" / "0" / "signals.jsonl"
    before = first.read_bytes()
    result = gandiag("run", "tiny.yaml", "--steps", "20")
    assert first.read_bytes() == before
    assert (here / "reports" / "tiny" / "0-2" / "signals.jsonl").is_file()
    assert "holds an earlier run" in result.stderr


def test_out_is_overwritten_only_with_overwrite(here: Path) -> None:
    """A folder of --out that holds a record is refused; with --overwrite it is replaced."""
    assert gandiag("run", "tiny.yaml", "--out", "mine").exit_code == 0
    old_grid = here / "mine" / "samples" / "step-99999999.npy"
    old_grid.write_bytes(b"of an earlier run")
    refused = gandiag("run", "tiny.yaml", "--out", "mine")
    assert refused.exit_code == 2
    assert "--overwrite" in refused.stderr
    assert old_grid.is_file()
    assert gandiag("run", "tiny.yaml", "--out", "mine", "--overwrite").exit_code == 0
    assert not old_grid.exists()


def test_check_exits_1_on_a_difference(here: Path) -> None:
    """--check prints each difference from `expect` and exits 1; without differences it exits 0."""
    with (here / "tiny.yaml").open("a") as file:
        file.write("expect: {mode_collapse: present}\n")
    wrong = gandiag("run", "tiny.yaml", "--check")
    assert wrong.exit_code == 1
    assert "mode_collapse: expected present, found inconclusive" in wrong.stdout
    right = gandiag("run", "tiny.yaml", "--check", "--set", "expect.mode_collapse=inconclusive")
    assert right.exit_code == 0


def test_set_reaches_every_depth(here: Path) -> None:
    """--set takes dotted keys of any depth and YAML values, including numbers such as 1e-3."""
    changes = {
        "variant.vanilla.objective": "saturating",
        "variant.vanilla.r1": "1e-3",
        "training.discriminator.optimizer.lr": "1e-3",
        "probes.diversity.every": "25",
        "probes.units": "off",
        "training.steps": "10",
    }
    sets = [part for key, value in changes.items() for part in ("--set", f"{key}={value}")]
    assert gandiag("run", "tiny.yaml", "--out", "out", *sets).exit_code == 0
    from gandiag import Scenario

    used = Scenario.load(here / "out" / "scenario.yaml")
    assert used.variant.options["objective"] == "saturating"
    assert used.variant.options["r1"] == 0.001
    assert used.variant.options["width"] == 8
    assert used.training.discriminator.optimizer.lr == 0.001
    assert used.probes["diversity"]["every"] == 25
    assert "units" not in used.probes


def test_runs_can_be_repeated(here: Path) -> None:
    """The folder of a run can be given as the scenario, and the same numbers result."""
    gandiag("run", "tiny.yaml", "--out", "first")
    assert gandiag("run", "first", "--out", "second").exit_code == 0
    name = "signals.jsonl"
    assert (here / "first" / name).read_bytes() == (here / "second" / name).read_bytes()


def test_interrupt_keeps_the_record(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C ends a run with status 130 and one line with the steps done and the next command."""

    def interrupt(self: RunProgress, rows: Sequence[Row], step: int) -> None:
        self.step = step
        if 50 <= step < 60:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(RunProgress, "follow", interrupt)
    result = gandiag("run", "tiny.yaml")
    assert result.exit_code == 130
    last = result.stderr.strip().splitlines()[-1]
    folder = Path("reports", "tiny", "0")
    assert last.startswith("gandiag: stopped after 5")
    assert last.endswith(f"and the run goes on with gandiag run --resume {folder}")
    assert "Traceback" not in result.output
    assert gandiag("diagnose", str(folder)).exit_code == 3


def test_diagnose_prints_only_json(here: Path) -> None:
    """--json prints the diagnoses and nothing else; the status is 3 for an inconclusive one."""
    gandiag("run", "tiny.yaml", "--out", "out")
    result = gandiag("diagnose", "out", "--json", "--detector", "mode_collapse")
    assert result.exit_code == 3
    assert result.stderr == ""
    (found,) = json.loads(result.stdout)["diagnoses"]
    assert found["condition"] == "mode_collapse"
    assert found["status"] == "inconclusive"


def test_diagnose_exits_1_on_a_failure(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The status is 1 if a failure is present."""
    gandiag("run", "tiny.yaml", "--out", "out")
    from gandiag.diagnosis.detectors.mode_collapse import ModeCollapse

    present = Diagnosis("mode_collapse", "present", "All alike.", "total", 10)
    monkeypatch.setattr(ModeCollapse, "needs", frozenset())
    monkeypatch.setattr(ModeCollapse, "detect", lambda self, record: present)
    result = gandiag("diagnose", "out")
    assert result.exit_code == 1
    assert "mode collapse" in result.stdout.lower()


def test_diagnose_until_uses_the_prefix(here: Path) -> None:
    """--until evaluates only the measurements up to that step."""
    gandiag("run", "tiny.yaml", "--out", "out")
    from gandiag.reports.saved_runs import reopen_report

    assert reopen_report("out", until=30).record.last_step == 30
    assert gandiag("diagnose", "out", "--until", "30", "--inconclusive-is-ok").exit_code == 0


def test_report_prints_paths(here: Path) -> None:
    """The reports of a saved run are written again, and their relative paths are printed."""
    gandiag("run", "tiny.yaml", "--out", "out")
    result = gandiag("report", "out", "--to", "json")
    assert result.exit_code == 0, result.output
    assert result.stdout.strip() == str(Path("out", "diagnoses.json"))
    assert (here / "out" / "diagnoses.json").is_file()


BAD = {
    "no scenario": ("run tiny.yml", "tiny.yml: no such file"),
    "near name": ("run mode_colapse", 'nearest is "mode_collapse"'),
    "variant": (
        "run tiny.yaml --set variant=vanila",
        '--set variant=vanila: variant: no variant "vanila"; nearest is "vanilla"',
    ),
    "variant in a file": (
        "run variant.yaml",
        'variant.yaml:3: variant: no variant "vanila"; nearest is "vanilla"',
    ),
    "option in a file": (
        "run option.yaml",
        'option.yaml:3: variant: vanilla.objectve: unknown option; nearest is "objective"',
    ),
    "option value": (
        "run tiny.yaml --set variant.vanilla.width=wide",
        "width: should be a whole number (got 'wide')",
    ),
    "probe": (
        "run tiny.yaml --set probes.divrsity.every=5",
        '--set probes.divrsity.every=5: probes: no probe "divrsity"; nearest is "diversity"',
    ),
    "key": (
        "run tiny.yaml --set trainig.steps=5",
        '--set trainig.steps=5: trainig: unknown key; nearest is "training"',
    ),
    "inherited": ("run child.yaml", "option.yaml:3: variant: vanilla.objectve"),
    "no value": ("run tiny.yaml --set seed", "--set seed: write key=value"),
    "no YAML": ("run tiny.yaml --set seed=[1", "--set seed=[1: not YAML"),
    "seed": ("run tiny.yaml --seed -1", "--seed -1: seed: should be at least 0"),
    "steps": ("run tiny.yaml --steps 0", "--steps 0: training.steps: should be at least 1"),
    "device": ("run tiny.yaml --device cuda:99", "--device cuda:99: device: cuda:99"),
    "unknown device": ("run tiny.yaml --device tpu", "--device tpu: device: there are auto, cpu"),
    "condition": (
        "run tiny.yaml --set expect.mode_colapse=absent",
        'no detector of the scenario detects "mode_colapse"; nearest is "mode_collapse"',
    ),
    "nothing to check": ("run tiny.yaml --check", "--check: tiny.yaml has no expect"),
    "out is a file": ("run tiny.yaml --out tiny.yaml", "--out tiny.yaml: is a file"),
    "option of run": ("run tiny.yaml --sed 3", "--sed"),
    "command": ("rum", "rum"),
    "no record": ("diagnose nowhere", "nowhere: no such folder"),
    "no run in it": ("diagnose .", "the folder has no record"),
    "a file": ("diagnose tiny.yaml", "tiny.yaml: is not a run's folder"),
    "no such run": ("report nowhere", "nowhere: no such folder"),
    "family": ("list variant", 'nearest is "variants"'),
    "name": ("list variants vanila", 'nearest is "vanilla"'),
}


@pytest.mark.parametrize(("arguments", "message"), BAD.values(), ids=BAD)
def test_bad_input_is_one_line(here: Path, arguments: str, message: str) -> None:
    """Bad input ends with status 2 and one line with its place, and no file is written."""
    (here / "variant.yaml").write_text(TINY.replace("variant: {vanilla", "\nvariant: {vanila"))
    (here / "option.yaml").write_text(TINY.replace("{width: 8", "{\n  objectve: saturating"))
    (here / "child.yaml").write_text("extends: option.yaml\nseed: 3\n")
    before = sorted(here.rglob("*"))
    result = gandiag(*arguments.split())
    assert result.exit_code == 2, result.output
    (line,) = result.stderr.splitlines()
    assert line.startswith("gandiag: ")
    assert message in line
    assert result.stdout == ""
    assert sorted(here.rglob("*")) == before


def test_damaged_lines_are_named(here: Path, unraised_warnings: list[str]) -> None:
    """A damaged line costs this line alone; the warning has its number."""
    gandiag("run", "tiny.yaml", "--out", "out")
    path = here / "out" / "signals.jsonl"
    path.write_text("{]\n" + path.read_text())
    result = gandiag("diagnose", "out")
    assert result.exit_code == 3
    (warning,) = unraised_warnings
    assert "lines are damaged and left out; the first is line 1 " in warning
    unraised_warnings.clear()


def test_runs_in_a_folder_are_listed(here: Path) -> None:
    """For a folder that contains runs, the message lists them."""
    gandiag("run", "tiny.yaml")
    result = gandiag("diagnose", "reports")
    assert result.exit_code == 2
    assert str(Path("reports", "tiny", "0")) in result.stderr


def test_list_shows_every_family() -> None:
    """The list has every family and the shipped scenarios, and each entry has a summary."""
    found = json.loads(gandiag("list", "--json").stdout)
    families = {entry["family"] for entry in found}
    assert {"datasets", "variants", "probes", "detectors", "fixes", "reporters"} < families
    assert all(entry["summary"] for entry in found)
    assert "vanilla" in gandiag("list").stdout


def test_list_shows_options() -> None:
    """A single plugin is shown with the type, default and comment of each option."""
    shown = gandiag("list", "variants", "vanilla").stdout
    for part in (
        "objective",
        "'non_saturating'",
        "latent_size",
        "PositiveInt",
        "64",
    ):
        assert part in shown


def test_list_shows_scenarios() -> None:
    """Shipped scenarios are listed with the first sentence of their description."""
    shown = gandiag("list", "scenarios").stdout
    for name in list_shipped():
        assert name in shown
    assert "A healthy training run." in shown


def test_help_has_examples() -> None:
    """The help of every command, at any depth, has an example and explains the exit statuses."""
    assert gandiag().stdout == gandiag("--help").stdout
    assert gandiag("bench").stdout == gandiag("bench", "--help").stdout
    for command in commands(main):
        text = gandiag(*command, "--help").stdout
        assert "\n  gandiag " in text, command
        assert "Exit status: 0" in text, command
        assert all(len(line) <= 100 for line in text.splitlines()), command


def commands(group: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words of every command of a group and of the groups in it."""
    yield path
    for name, command in getattr(group, "commands", {}).items():
        yield from commands(command, (*path, name))


def test_help_imports_only_click() -> None:
    """--help imports click, but not torch, pydantic or rich, which take seconds."""
    heavy = "{'torch', 'numpy', 'pydantic', 'rich', 'yaml', 'gandiag.scenario.schema'}"
    code = f"import gandiag.cli.main, sys; print(sorted({heavy} & set(sys.modules)))"
    assert in_a_process(code) == "[]"


@pytest.mark.parametrize("arguments", [["list"], ["list", "variants", "vanilla"]])
def test_list_imports_no_torch(arguments: list[str]) -> None:
    """Plugins are listed from their source files, so torch is not imported."""
    code = f"""
import sys
from gandiag.cli.main import main
try:
    main({arguments!r})
except SystemExit as exit:
    print(exit.code, "torch" in sys.modules)
"""
    assert in_a_process(code).splitlines()[-1] == "0 False"


def test_missing_torch_is_one_line(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line reports that torch cannot be imported."""
    monkeypatch.setitem(sys.modules, "torch", None)
    result = gandiag("run", "tiny.yaml")
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith("gandiag: torch: cannot be imported")


def test_warnings_are_one_line(here: Path) -> None:
    """A warning is printed on one line, without the source line that raised it."""
    code = """
import sys, warnings
from gandiag.reports import saved_runs
saved_runs.reopen_report = lambda *a: warnings.warn("first\\nsecond", RuntimeWarning) or sys.exit(0)
from gandiag.cli.main import main
main(["diagnose", "."])
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.stderr == "gandiag: warning: first second\n"
