"""Tests of ``gandiag examine`` on saved runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result

import gandiag
from gandiag.cli.main import main
from gandiag.examination.finding import Finding
from gandiag.examination.saved_run import load_game_state
from gandiag.scenario.schema import Scenario
from tests.examination.conftest import QUICK, SCENARIO, copy_full_state

OPTIONS = [f"{name}.{key}={value}" for name, given in QUICK.items() for key, value in given.items()]
SETS = [part for option in OPTIONS for part in ("--set", option)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run with checkpoints at steps 1, 10 and 20."""
    path = tmp_path_factory.mktemp("runs") / "kept"
    gandiag.run(Scenario.parse(SCENARIO), path, checkpoint_every=10)
    return path


def run_examine(*arguments: str) -> Result:
    """Run ``gandiag examine`` and return its output and status."""
    return CliRunner().invoke(main, ["examine", *arguments])


def test_run_is_examined(folder: Path) -> None:
    """The command prints the findings on standard output, and the progress on standard error."""
    result = run_examine(str(folder), *SETS)
    assert result.exit_code == 0, result.output
    assert "networks at step 20" in result.stdout
    for name in QUICK:
        assert name.replace("_", " ") in result.stdout
    assert "5/5 duality gap: done" in result.stderr
    assert "Not measured" not in result.stdout


def test_json_is_plain(folder: Path) -> None:
    """``--json`` prints the step and the findings, and nothing else."""
    result = run_examine(str(folder), "--json", "--at", "10", "--instrument", "path_angle",
                      "--set", "path_angle.points=3", "--set", "path_angle.draws=1")  # fmt: skip
    data = json.loads(result.stdout)
    assert data["step"] == 10
    (finding,) = data["findings"]
    assert finding["instrument"] == "path_angle"
    assert finding["curves"]["along"] == [0.0, 0.75, 1.5]


def test_checkpoint_file_is_accepted(folder: Path) -> None:
    """The file of a checkpoint means its run at its step."""
    state, step = load_game_state(folder / "checkpoints" / "step-00000010.safetensors")
    assert step == 10
    other, _ = load_game_state(folder, 10)
    for one, two in zip(
        copy_full_state(state.gan).items(), copy_full_state(other.gan).items(), strict=True
    ):
        assert torch.equal(one[1], two[1]), one[0]
    assert state.earlier is not None


def test_first_checkpoint_has_no_earlier(folder: Path) -> None:
    """The oldest checkpoint has no earlier one; other checkpoints have."""
    assert load_game_state(folder, 1)[0].earlier is None
    assert load_game_state(folder, 20, 10)[0].earlier is not None


def test_loading_draws_no_random_numbers(folder: Path) -> None:
    """Loading a run leaves torch's random state as it was."""
    before = torch.get_rng_state()
    load_game_state(folder)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--at", "7"), "no checkpoint of step 7; nearest is 10; there are 1, 10, 20"),
        (("--since", "20"), "--since 20: is not before the examined step, 20"),
        (
            ("--instrument", "dualty"),
            '--instrument: no instrument "dualty"; nearest is "duality_gap"',
        ),
        (("--set", "jacobian.cont=1"), '--set: jacobian.cont: unknown option; nearest is "count"'),
        (
            ("--set", "jacobian=1"),
            "--set: jacobian: name one of its options, as in jacobian.samples",
        ),
        (
            ("--set", "jacobean.count=1"),
            "--set: jacobean has options but is not among the instruments",
        ),
    ],
)
def test_mistakes_are_one_line(folder: Path, arguments: tuple[str, ...], message: str) -> None:
    """A mistake gives one line on standard error and status 2."""
    result = run_examine(str(folder), *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_missing_checkpoints_and_runs(tmp_path: Path) -> None:
    """A run without checkpoints, and a folder without a run, give a helpful message."""
    gandiag.run(Scenario.parse(SCENARIO), tmp_path / "plain")
    assert "--checkpoint-every 500" in run_examine(str(tmp_path / "plain")).stderr
    assert "no run here" in run_examine(str(tmp_path / "nowhere")).stderr


def test_interrupt_prints_finished_findings(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After Ctrl-C the finished findings are printed, and the status is 130."""
    from gandiag.examination.instruments.path_angle import PathAngle

    def stop(*arguments: object) -> Finding:
        raise KeyboardInterrupt

    monkeypatch.setattr(PathAngle, "examine", stop)
    names = ("--instrument", "jacobian", "--instrument", "path_angle")
    quick = ("--set", "jacobian.draws=1", "--set", "jacobian.samples=8")
    result = run_examine(str(folder), *names, *quick)
    assert result.exit_code == 130
    assert "stopped; 1 of 2 instruments finished" in result.stderr
    assert "eigenvalues" in result.stdout


def test_rates_of_sgd_are_known(tmp_path: Path) -> None:
    """The state of a run with plain SGD has its learning rates and steps, with the decay."""
    plain = {"optimizer": {"name": "sgd", "lr": 0.05}}
    training = {"steps": 4, "batch_size": 32, "generator": plain, "decay_from": 0.5,
                "discriminator": {**plain, "steps": 3}}  # fmt: skip
    gandiag.run(Scenario.parse({**SCENARIO, "training": training}), tmp_path, checkpoint_every=1)
    assert load_game_state(tmp_path, 1)[0].descent == (0.05, 0.05, 1, 3)
    assert load_game_state(tmp_path, 3)[0].descent == (0.025, 0.025, 1, 3)


def test_adam_has_no_plain_rates(folder: Path) -> None:
    """The state of a run with Adam has no rates of plain gradient descent."""
    assert load_game_state(folder)[0].descent is None
