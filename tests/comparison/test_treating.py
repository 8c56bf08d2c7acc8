"""Laws of looking for a cure: what is tried, when it is given up, and what is written."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from gandiag import plugins
from gandiag.cli import main
from gandiag.comparison.arms import UNTREATED, Arm, treated
from gandiag.comparison.games import OUTCOME
from gandiag.comparison.outcomes import Outcome
from gandiag.comparison.treating import CURED, treat
from gandiag.diagnosis import diagnose
from gandiag.errors import BadInput
from gandiag.many import Workers
from gandiag.record import Record
from gandiag.scenario import DETECTORS, Scenario

RECORDS = Path(__file__).parent.parent / "records"
SICK, WELL = "ring_collapse", "ring_healthy"
SEEDS = range(6)  # as many as one fix needs


@pytest.fixture
def scenario() -> Scenario:
    """A ring whose generator outruns its discriminator."""
    data = {"name": "outrun", "data": "ring", "training": {"steps": 1, "generator": {"steps": 5}}}
    return Scenario.parse(data)


def lay(folder: Path, arm: Arm, seed: int, name: str) -> None:
    """Put a recorded run where the game of an arm would lie, with what came of it."""
    place = folder / arm.name / str(seed)
    shutil.copytree(RECORDS / name, place)
    (place / "samples").mkdir()
    (place / "scenario.yaml").write_text(arm.game(seed).as_yaml())
    detectors = [plugins.build("detectors", each) for each in DETECTORS]
    statuses = {d.condition: d.status for d in diagnose(Record.load(place), detectors)}
    distance = 1.0 if name == SICK else 0.1
    outcome = Outcome(arm.name, seed, statuses, {}, ((1, distance),), 0.5, 0.5, 1.0, "distance")
    data = {"game": arm.digest(seed), "outcome": outcome.as_json()}
    (place / OUTCOME).write_text(json.dumps(data))


def lay_all(folder: Path, scenario: Scenario, fixes: dict[str, str]) -> None:
    """All games of the untreated arm, which are sick, and of some fixes."""
    for seed in SEEDS:
        lay(folder, Arm(UNTREATED, (), scenario), seed, SICK)
        for name, record in fixes.items():
            lay(folder, treated(scenario, [name]), seed, record)


def suggested(scenario: Scenario, folder: Path) -> str:
    """The fix that a sick run's diagnosis names first."""
    from gandiag.front import reopen

    lay(folder, Arm(UNTREATED, (), scenario), 0, SICK)
    return reopen(folder / UNTREATED / "0").treatments[0].fix


def test_a_cure_is_written_down(scenario: Scenario, tmp_path: Path) -> None:
    """The first fix whose recorded games are all well is the cure, and its scenario is playable."""
    fix = suggested(scenario, tmp_path / "first")
    folder = tmp_path / "all"
    lay_all(folder, scenario, {fix: WELL})
    said: list[str] = []
    found = treat(
        scenario, folder, seeds=6, most=1, workers=Workers(jobs=1), resume=True, say=said.append
    )
    assert found.cure == fix
    assert found.cured == folder / CURED
    cured = Scenario.load(folder / CURED)
    assert cured.name == "outrun_cured"
    assert cured.set({"name": "outrun", "about": ""}) == plugins.build("fixes", fix).apply(scenario)
    assert (folder / "comparison.html").is_file()
    assert any("mode collapse in 6 of 6" in line for line in said)


def test_a_hopeless_fix_is_given_up(scenario: Scenario, tmp_path: Path) -> None:
    """After one failure six seeds can prove nothing, so the other five games are not played."""
    fix = suggested(scenario, tmp_path / "first")
    folder = tmp_path / "all"
    lay_all(folder, scenario, {fix: SICK})
    found = treat(scenario, folder, seeds=6, most=1, workers=Workers(jobs=1), resume=True)
    assert found.cure is None
    assert not (folder / CURED).exists()
    assert list(found.comparison.treated[0].outcomes) == [0]
    assert fix not in found.left


def test_few_seeds_are_refused(scenario: Scenario, tmp_path: Path) -> None:
    """Where no cure could be proven, nothing is played."""
    with pytest.raises(BadInput, match="too few to prove one of 4 fixes; take 8"):
        treat(scenario, tmp_path / "out", seeds=5)
    assert not (tmp_path / "out").exists()


def test_nothing_to_treat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A game in which nothing is found is played as often as asked, and that is all: status 0."""
    monkeypatch.chdir(tmp_path)
    text = "data: {ring: {samples: 300, held_out: 300}}\ntraining: {steps: 5}\nprobes: {units: off}"
    Path("short.yaml").write_text(text)
    arguments = "treat short.yaml --most 1 --seeds 6 --jobs 1 --threads 1 --out out"
    result = CliRunner().invoke(main, arguments.split())
    assert result.exit_code == 0, result.output
    assert "there is nothing to treat" in result.stderr
    assert len(list(Path("out").glob(f"*/*/{OUTCOME}"))) == 6
