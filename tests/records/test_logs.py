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

CONDITIONS = [
    "vanishing_gradients",
    "mode_collapse",
    "non_convergence",
    "discriminator_saturation",
    "contradictory_losses",
    "fooled_discriminator",
    "double_sigmoid_loss",
]
HEALTHY_LOSS = 0.9 + 0.1 * np.sin(np.arange(100))  # of a discriminator


def write_log(path: Path, discriminator: Any, generator: Any = 6.0, rows: int = 100) -> Path:
    """Write a log of losses with a row every 100 steps, and return its path."""
    columns = [100 * np.arange(1, rows + 1), discriminator, generator]
    table = np.stack([np.broadcast_to(np.asarray(column, float), rows) for column in columns], 1)
    text = "\n".join(",".join(f"{cell:.6g}" for cell in row) for row in table)
    path.write_text(f"iter,errD,errG\n{text}\n")
    return path


@pytest.fixture
def failing(tmp_path: Path) -> Path:
    """A log of a discriminator that saturates."""
    return write_log(tmp_path / "failing.csv", np.where(np.arange(100) < 40, HEALTHY_LOSS, 1e-5))


@pytest.fixture
def healthy(tmp_path: Path) -> Path:
    """A log of a discriminator that does not saturate."""
    return write_log(tmp_path / "healthy.csv", HEALTHY_LOSS, generator=1.2)


def diagnose(*arguments: object) -> tuple[int, dict[str, Any]]:
    """Exit status and output of ``gandiag diagnose --json``."""
    result = CliRunner().invoke(main, ["diagnose", *map(str, arguments), "--json"])
    return result.exit_code, json.loads(result.stdout)


def test_log_is_diagnosed(failing: Path, healthy: Path) -> None:
    """Status 1 if a failure is present, else 3, as three conditions are inconclusive."""
    for path, status, exits in ((failing, "present", 1), (healthy, "absent", 3)):
        code, answer = diagnose(path)
        found = {item["condition"]: item for item in answer["diagnoses"]}
        assert code == exits
        assert list(found) == CONDITIONS
        assert found["discriminator_saturation"]["status"] == status
        for condition in CONDITIONS[:3]:
            assert found[condition]["status"] == "inconclusive"
            assert "of gandiag.attach record" in found[condition]["summary"]
        assert answer["log"]["columns"]["discriminator_loss"] == "errD"


def test_columns_are_reported(failing: Path) -> None:
    """The terminal shows the reader, the columns, and that the columns were guessed."""
    result = CliRunner().invoke(main, ["diagnose", str(failing)])
    text = " ".join(result.stdout.split())
    assert "Read as csv: discriminator_loss is errD, generator_loss is errG (guessed" in text
    assert "Steps are taken from the column iter." in text


def test_until_leaves_later_rows_out(failing: Path) -> None:
    """A diagnosis at an earlier step does not depend on later rows."""
    assert diagnose(failing, "--until", 3900)[0] == 3
    assert diagnose(failing, "--until", 9000)[0] == 1


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_non_finite_losses_are_divergence(tmp_path: Path, value: float) -> None:
    """A loss that is NaN or infinite is divergence, even if only losses were logged."""
    losses = np.where(np.arange(100) < 60, HEALTHY_LOSS, value)
    _, answer = diagnose(write_log(tmp_path / "log.csv", losses))
    (found,) = (item for item in answer["diagnoses"] if item["condition"] == "non_convergence")
    assert (found["status"], found["kind"], found["onset"]) == ("present", "divergence", 6100)


def test_options_can_be_passed(tmp_path: Path) -> None:
    """Columns, objective and chance level can be passed, on the command line and in Python."""
    path = write_log(tmp_path / "log.csv", 0.02 + 1e-3 * np.sin(np.arange(100)))
    options = ["--map", "discriminator_loss=errD", "--objective", "lsgan", "--chance", "0.1"]
    assert diagnose(path, *options)[0] == 3  # nothing is present, some conditions cannot be judged
    assert diagnose(path, *options[:2], "--objective", "bce")[0] == 1
    log_options: dict[str, Any] = {"columns": {"discriminator_loss": "errD"}, "objective": "bce"}
    record = gandiag.load(path, **log_options)
    assert record.facts["objective"] == "non_saturating"
    assert gandiag.diagnose(record)[3].status == "present"


def test_log_is_diagnosed_from_python(healthy: Path) -> None:
    """`gandiag.diagnose` takes the path of a log and chooses the detectors."""
    assert [found.condition for found in gandiag.diagnose(healthy)] == CONDITIONS


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--objective", "hing"], 'nearest is "hinge"'),
        (["--chance", "-1"], "must be 0 or more"),
        (["--chance", "0", "--objective", "hinge"], "Wasserstein critic"),
        (["--map", "errD"], "write ROLE=COLUMN"),
        (["--map", "discriminator_loss=errDD"], 'nearest is "errD"'),
    ],
)
def test_mistakes_are_one_line(failing: Path, arguments: list[str], message: str) -> None:
    """An option that cannot be right is an error of one line, with status 2."""
    result = CliRunner().invoke(main, ["diagnose", str(failing), *arguments])
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def test_logs_have_no_page(failing: Path) -> None:
    """A page needs the folder of a run; for a log, the error says so."""
    result = CliRunner().invoke(main, ["report", str(failing)])
    assert result.exit_code == 2
    assert "is a log" in result.stderr


def test_chance_level_of_zero_means_a_critic() -> None:
    """A chance level of 0 means a Wasserstein critic."""
    assert LogOptions(chance=0.0).facts()["objective"] == "wasserstein"
