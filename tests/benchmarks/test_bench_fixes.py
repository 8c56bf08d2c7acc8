"""Study of fixes: its scenarios, its table, and its page."""

from __future__ import annotations

import io
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from gandiag.benchmarks.fixes import STUDY, format_comparison
from gandiag.cli.main import main
from gandiag.comparison.analysis import compare_outcomes
from gandiag.comparison.outcome import Outcome
from gandiag.comparison.results import Comparison
from gandiag.comparison.sample_grids import draw_final_grids
from gandiag.comparison.scenarios import build_compared_scenarios
from gandiag.scenario.schema import Scenario
from gandiag.scenario.shipped import find_scenario

PAGE = (Path(__file__).parents[2] / "reports" / "fixes.md").read_text(encoding="utf-8")
RECORD = Path(__file__).parents[1] / "recorded_runs" / "healthy"


def build_comparison(fixes: list[str], seeds: int = 6) -> Comparison:
    """A comparison in which all baseline runs collapse, and no run with a fix."""
    compared = build_compared_scenarios(Scenario.parse({"data": "ring", "name": "ring"}), fixes)
    outcomes = [
        Outcome(each.name, seed, {"mode_collapse": "absent" if each.fixes else "present"}, {},
                ((1, 0.1 if each.fixes else 1.0),), 0.5, 0.5, 1.0, "distance")
        for each in compared for seed in range(seeds)
    ]  # fmt: skip
    return compare_outcomes(compared, outcomes)


def test_page_has_the_fixes_of_the_study() -> None:
    """The page has the scenarios and fixes that the command compares, in the same order."""
    parts = re.split(r"^## `(\w+)`$", PAGE, flags=re.MULTILINE)[1:]
    on_page = {
        name: tuple(re.findall(r"^\| `([\w+]+)` \|", text, re.MULTILINE))
        for name, text in zip(parts[::2], parts[1::2], strict=True)
    }
    names = {name: tuple(f.replace(",", "+") for f in fixes) for name, fixes in STUDY.items()}
    assert on_page == {name: ("baseline", *fixes) for name, fixes in names.items()}


@pytest.mark.parametrize("name", STUDY)
def test_each_fix_changes_the_scenario(name: str) -> None:
    """Each scenario is a shipped failure, and each fix changes the scenario in another way."""
    scenario = Scenario.load(find_scenario(name))
    assert "present" in scenario.expect.values()
    assert len(build_compared_scenarios(scenario, STUDY[name])) == 1 + len(STUDY[name])


def test_table_has_a_row_for_baseline_and_fix() -> None:
    """A row has the number of failing runs, the number of runs, and the interval of the share."""
    text = format_comparison(build_comparison(["r1"]))
    assert "| `baseline` | - | 6 of 6 (61% to 100%) | 1 (1 to 1) |" in text
    assert "| `r1` | cures | 0 of 6 (0% to 39%) | 0.1 (0.1 to 0.1) |" in text


def test_picture_has_a_grid_for_baseline_and_each_fix(tmp_path: Path) -> None:
    """The picture gets a second row if there are more sample grids than fit in one row."""
    few, many = ["r1"], ["r1", "packing", "hinge"]
    for result in build_comparison(many).results:
        run = tmp_path / result.compared.name / "0"
        shutil.copytree(RECORD, run, ignore=shutil.ignore_patterns("samples"))
        (run / "samples").mkdir()
        for grid in ("real", "step-00000500"):
            Image.fromarray(np.zeros((16, 16), np.uint8)).save(run / "samples" / f"{grid}.png")
    one, two = (
        Image.open(io.BytesIO(draw_final_grids(build_comparison(fixes), tmp_path)))
        for fixes in (few, many)
    )
    assert two.size == (one.width, 2 * one.height)


def test_unknown_scenario_is_refused() -> None:
    """The message names the nearest scenario of the study."""
    result = CliRunner().invoke(main, ["bench", "fixes", "--case", "mode_colapse"])
    assert result.exit_code == 2
    assert 'no scenario "mode_colapse" in the study; nearest is "mode_collapse"' in result.stderr
