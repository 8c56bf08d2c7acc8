from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import gandiag
from gandiag.cli.main import main
from gandiag.records.logs import LogOptions

CONDITIONS = ["vanishing_gradients", "mode_collapse", "non_convergence", "discriminator_saturation"]
RESTLESS = 0.9 + 0.1 * np.sin(np.arange(100))  # a healthy discriminator's loss


def written(path: Path, discriminator: Any, generator: Any = 6.0, rows: int = 100) -> Path:
    """A log of losses, a row every 100 steps."""
    columns = [100 * np.arange(1, rows + 1), discriminator, generator]
    table = np.stack([np.broadcast_to(np.asarray(column, float), rows) for column in columns], 1)
    text = "\n".join(",".join(f"{cell:.6g}" for cell in row) for row in table)
    path.write_text(f"iter,errD,errG\n{text}\n")
    return path


@pytest.fixture
def sick(tmp_path: Path) -> Path:
    """A log of a discriminator that saturates."""
    return written(tmp_path / "sick.csv", np.where(np.arange(100) < 40, RESTLESS, 1e-5))


@pytest.fixture
def healthy(tmp_path: Path) -> Path:
    """A log of one that does not."""
    return written(tmp_path / "healthy.csv", RESTLESS, generator=1.2)


def asked(*arguments: object) -> tuple[int, dict[str, Any]]:
    """Exit status and answer of ``gandiag diagnose --json``."""
    result = CliRunner().invoke(main, ["diagnose", *map(str, arguments), "--json"])
    return result.exit_code, json.loads(result.stdout)


def test_log_is_diagnosed(sick: Path, healthy: Path) -> None:
    """Status 1 if something is present, 0 if not; three conditions stay open and say why."""
    for path, status, exits in ((sick, "present", 1), (healthy, "absent", 0)):
        code, answer = asked(path)
        found = {item["condition"]: item for item in answer["diagnoses"]}
        assert code == exits
        assert list(found) == CONDITIONS
        assert found["discriminator_saturation"]["status"] == status
        for condition in CONDITIONS[:3]:
            assert found[condition]["status"] == "inconclusive"
            assert "of gandiag.attach record" in found[condition]["summary"]
        assert answer["log"]["columns"]["discriminator_loss"] == "errD"


def test_what_was_read_is_said(sick: Path) -> None:
    """The terminal says which reader, which columns, and that they were guessed."""
    result = CliRunner().invoke(main, ["diagnose", str(sick)])
    said = " ".join(result.stdout.split())
    assert "Read as csv: discriminator_loss is errD, generator_loss is errG (guessed" in said
    assert "Steps are taken from the column iter." in said


def test_until_is_the_log_so_far(sick: Path) -> None:
    """Asked about an earlier step, the later rows do not count."""
    assert asked(sick, "--until", 3900)[0] == 0
    assert asked(sick, "--until", 9000)[0] == 1


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_blown_losses_are_divergence(tmp_path: Path, value: float) -> None:
    """A loss that is no number is divergence, from the losses alone."""
    losses = np.where(np.arange(100) < 60, RESTLESS, value)
    _, answer = asked(written(tmp_path / "log.csv", losses))
    (found,) = (item for item in answer["diagnoses"] if item["condition"] == "non_convergence")
    assert (found["status"], found["kind"], found["onset"]) == ("present", "divergence", 6100)


def test_options_are_told(tmp_path: Path) -> None:
    """Columns, objective and level at chance may be told, on the command line and from Python."""
    path = written(tmp_path / "log.csv", 0.02 + 1e-3 * np.sin(np.arange(100)))
    options = ["--map", "discriminator_loss=errD", "--objective", "lsgan", "--chance", "0.1"]
    assert asked(path, *options)[0] == 0
    assert asked(path, *options[:2], "--objective", "bce")[0] == 1
    told: dict[str, Any] = {"columns": {"discriminator_loss": "errD"}, "objective": "bce"}
    record = gandiag.load(path, **told)
    assert record.facts["objective"] == "non_saturating"
    assert gandiag.diagnose(record)[-1].status == "present"


def test_log_is_read_without_torch(healthy: Path) -> None:
    """A log in memory is a record like any other: its detectors are found by themselves."""
    assert [found.condition for found in gandiag.diagnose(healthy)] == CONDITIONS


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--objective", "hing"], 'nearest is "hinge"'),
        (["--chance", "-1"], "must be 0 or more"),
        (["--chance", "0", "--objective", "hinge"], "Wasserstein critic"),
        (["--map", "errD"], "write ROLE=COLUMN"),
        (["--map", "discriminator_loss=errDD"], 'nearest is "errD"'),
    ],
)
def test_mistakes_are_one_line(sick: Path, arguments: list[str], told: str) -> None:
    """What cannot be meant is refused in one line, with status 2."""
    result = CliRunner().invoke(main, ["diagnose", str(sick), *arguments])
    assert result.exit_code == 2
    assert told in result.stderr
    assert result.stderr.count("\n") == 1


def test_logs_have_no_page(sick: Path) -> None:
    """A page is made of a run's folder only, and a log is not taken for one."""
    result = CliRunner().invoke(main, ["report", str(sick)])
    assert result.exit_code == 2
    assert "is a log" in result.stderr


def test_chance_of_a_critic_is_nought() -> None:
    """A level of 0 at chance means a critic."""
    assert LogOptions(chance=0.0).facts()["objective"] == "wasserstein"
