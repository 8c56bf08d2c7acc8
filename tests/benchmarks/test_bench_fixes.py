"""Laws of the study of fixes: what is played, and what is said of it."""

from __future__ import annotations

import io
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from gandiag.benchmarks.fixes import STUDY, tables
from gandiag.cli.main import main
from gandiag.comparison.analysis import compare_outcomes
from gandiag.comparison.compared import compared_scenarios
from gandiag.comparison.outcome import Outcome
from gandiag.comparison.results import Comparison
from gandiag.comparison.sample_grids import picture
from gandiag.scenario.schema import Scenario
from gandiag.scenario.shipped import find_scenario

PAGE = (Path(__file__).parents[2] / "reports" / "fixes.md").read_text(encoding="utf-8")
RECORD = Path(__file__).parents[1] / "recorded_runs" / "healthy"


def compared(fixes: list[str], seeds: int = 6) -> Comparison:
    """All collapse untreated, and none with any of the fixes."""
    arms = compared_scenarios(Scenario.parse({"data": "ring", "name": "game"}), fixes)
    outcomes = [
        Outcome(arm.name, seed, {"mode_collapse": "absent" if arm.fixes else "present"}, {},
                ((1, 0.1 if arm.fixes else 1.0),), 0.5, 0.5, 1.0, "distance")
        for arm in arms for seed in range(seeds)
    ]  # fmt: skip
    return compare_outcomes(arms, outcomes)


def test_the_page_tells_of_every_arm() -> None:
    """What the page tells is what the command plays: the same scenarios and arms, in order."""
    parts = re.split(r"^## `(\w+)`$", PAGE, flags=re.MULTILINE)[1:]
    told = {
        name: tuple(re.findall(r"^\| `([\w+]+)` \|", text, re.MULTILINE))
        for name, text in zip(parts[::2], parts[1::2], strict=True)
    }
    played = {name: tuple(f.replace(",", "+") for f in fixes) for name, fixes in STUDY.items()}
    assert told == {name: ("untreated", *fixes) for name, fixes in played.items()}


@pytest.mark.parametrize("name", STUDY)
def test_every_arm_is_a_game_of_its_own(name: str) -> None:
    """Each scenario is a shipped failure, and each fix changes it in a way of its own."""
    scenario = Scenario.load(find_scenario(name))
    assert "present" in scenario.expect.values()
    assert len(compared_scenarios(scenario, STUDY[name])) == 1 + len(STUDY[name])


def test_a_row_for_each_arm() -> None:
    """The table holds how often each arm fails, of how many, and the interval of that share."""
    text = tables(compared(["r1"]))
    assert "| `untreated` | - | 6 of 6 (61% to 100%) | 1 (1 to 1) |" in text
    assert "| `r1` | cures | 0 of 6 (0% to 39%) | 0.1 (0.1 to 0.1) |" in text


def test_a_sheet_for_each_arm(tmp_path: Path) -> None:
    """The picture grows by a row once there are more sheets than fit beside each other."""
    few, many = ["r1"], ["r1", "packing", "hinge"]
    for arm in compared(many).results:
        place = tmp_path / arm.arm.name / "0"
        shutil.copytree(RECORD, place, ignore=shutil.ignore_patterns("samples"))
        (place / "samples").mkdir()
        for sheet in ("real", "step-00000500"):
            Image.fromarray(np.zeros((16, 16), np.uint8)).save(place / "samples" / f"{sheet}.png")
    one, two = (Image.open(io.BytesIO(picture(compared(f), tmp_path))) for f in (few, many))
    assert two.size == (one.width, 2 * one.height)


def test_unknown_scenario_is_named() -> None:
    """A wrong name costs one line, and nothing is played."""
    result = CliRunner().invoke(main, ["bench", "fixes", "--case", "mode_colapse"])
    assert result.exit_code == 2
    assert 'no scenario "mode_colapse" in the study; nearest is "mode_collapse"' in result.stderr
