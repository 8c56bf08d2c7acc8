"""Laws of looking for a cure: what is tried, when it is given up, and what is written."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from gandiag.cli.main import main
from gandiag.comparison.fix_order import rank_fixes
from gandiag.comparison.outcome import Outcome
from gandiag.comparison.parallel import Workers
from gandiag.comparison.scenarios import BASELINE, ComparedScenario, apply_fixes
from gandiag.comparison.treat import FIXED_SCENARIO, treat
from gandiag.comparison.trial import OUTCOME_FILE
from gandiag.diagnosis.diagnosis import diagnose
from gandiag.plugins import registry as plugins
from gandiag.plugins.builtin import DETECTORS
from gandiag.plugins.errors import BadInput
from gandiag.records.record import Record
from gandiag.reports.saved_runs import reopen_report
from gandiag.scenario.schema import Scenario

RECORDS = Path(__file__).parents[1] / "recorded_runs"
SICK, WELL = "ring_collapse", "ring_healthy"


@pytest.fixture
def scenario() -> Scenario:
    """A ring whose generator outruns its discriminator."""
    data = {"name": "outrun", "data": "ring", "training": {"steps": 1, "generator": {"steps": 5}}}
    return Scenario.parse(data)


def lay(folder: Path, arm: ComparedScenario, seed: int, name: str) -> None:
    """Put a recorded run where the game of an arm would lie, with what came of it."""
    place = folder / arm.name / str(seed)
    shutil.copytree(RECORDS / name, place)
    (place / "samples").mkdir()
    (place / "scenario.yaml").write_text(arm.trial_scenario(seed).as_yaml())
    detectors = [plugins.build("detectors", each) for each in DETECTORS]
    statuses = {d.condition: d.status for d in diagnose(Record.load(place), detectors)}
    distance = 0.1 if name == WELL else 1.0
    outcome = Outcome(arm.name, seed, statuses, {}, ((1, distance),), 0.5, 0.5, 1.0, "distance")
    data = {"game": arm.digest(seed), "outcome": outcome.as_json()}
    (place / OUTCOME_FILE).write_text(json.dumps(data))


def lay_all(
    folder: Path, scenario: Scenario, fixes: dict[str, str], sick: str = SICK, seeds: int = 6
) -> None:
    """All games of the untreated arm, and of some fixes, joined by ``+`` where they are several."""
    for seed in range(seeds):
        lay(folder, ComparedScenario(BASELINE, (), scenario), seed, sick)
        for names, record in fixes.items():
            lay(folder, apply_fixes(scenario, names.split("+")), seed, record)


def first_for(folder: Path, scenario: Scenario, record: str, *on: str) -> str:
    """The fix that is tried first against what a recorded run suffers from."""
    return order_for(folder, scenario, record, *on)[0]


def order_for(folder: Path, scenario: Scenario, record: str, *on: str) -> list[str]:
    """The fixes that fit what a recorded run suffers from, best first."""
    arm = apply_fixes(scenario, on) if on else ComparedScenario(BASELINE, (), scenario)
    lay(folder, arm, 0, record)
    place = folder / arm.name / "0"
    return rank_fixes([place], conditions_in(place))


def conditions_in(folder: Path) -> list[str]:
    """What is present in a run."""
    return [d.condition for d in reopen_report(folder).diagnoses if d.status == "present"]


def test_a_cure_is_written_down(scenario: Scenario, tmp_path: Path) -> None:
    """The first fix whose recorded games are all well is the cure, and its scenario is playable."""
    fix = first_for(tmp_path / "first", scenario, SICK)
    folder = tmp_path / "all"
    lay_all(folder, scenario, {fix: WELL})
    said: list[str] = []
    found = treat(
        scenario, folder, seeds=6, most=1, workers=Workers(jobs=1), resume=True, say=said.append
    )
    assert found.confirmed_fix == fix
    assert found.fixed_scenario == folder / FIXED_SCENARIO
    cured = Scenario.load(folder / FIXED_SCENARIO)
    assert cured.name == "outrun_cured"
    assert cured.set({"name": "outrun", "about": ""}) == plugins.build("fixes", fix).apply(scenario)
    assert (folder / "comparison.html").is_file()
    assert any("mode collapse in 6 of 6" in line for line in said)


def test_a_hopeless_fix_is_given_up(scenario: Scenario, tmp_path: Path) -> None:
    """After one failure six seeds can prove nothing, so the other five games are not played."""
    fix = first_for(tmp_path / "first", scenario, SICK)
    folder = tmp_path / "all"
    lay_all(folder, scenario, {fix: SICK})
    found = treat(scenario, folder, seeds=6, most=1, workers=Workers(jobs=1), resume=True)
    assert found.confirmed_fix is None
    assert not (folder / FIXED_SCENARIO).exists()
    assert list(found.comparison.fix_results[0].outcomes) == [0]
    assert fix not in found.untried


def test_what_a_fix_brings_is_treated_on_top(tmp_path: Path) -> None:
    """A fix with another failure in its place is kept, and what treats that one is added to it."""
    variant = {"vanilla": {"objective": "saturating"}}
    scenario = Scenario.parse({"data": "ring", "variant": variant, "training": {"steps": 1}})
    first = first_for(tmp_path / "first", scenario, "ring_vanishing")
    second = first_for(tmp_path / "second", scenario, SICK, first)
    both = f"{first}+{second}"
    folder = tmp_path / "all"
    lay_all(folder, scenario, {first: SICK, both: WELL}, sick="ring_vanishing", seeds=7)
    found = treat(scenario, folder, seeds=7, most=2, workers=Workers(jobs=1), resume=True)
    assert [result.compared.name for result in found.comparison.fix_results] == [first, both]
    assert found.comparison.fix_results[0].verdict == "helps"
    assert found.confirmed_fix == both
    assert all(both != other and first != other for other in found.untried)


def test_what_does_not_help_on_top_is_not_built_on(tmp_path: Path) -> None:
    """A second fix that leaves what the first one brought is given up, and another takes its place.

    One run shows it: what untreated games never had is then present in more runs than there.
    """
    variant = {"vanilla": {"objective": "saturating"}}
    scenario = Scenario.parse({"data": "ring", "variant": variant, "training": {"steps": 1}})
    first = first_for(tmp_path / "first", scenario, "ring_vanishing")
    second, third = order_for(tmp_path / "second", scenario, SICK, first)[:2]
    arms = [first, f"{first}+{second}", f"{first}+{third}"]
    folder = tmp_path / "all"
    laid = dict(zip(arms, [SICK, SICK, WELL], strict=True))
    lay_all(folder, scenario, laid, sick="ring_vanishing", seeds=7)
    found = treat(scenario, folder, seeds=7, most=3, workers=Workers(jobs=1), resume=True)
    tried = {result.compared.name: len(result.outcomes) for result in found.comparison.fix_results}
    assert tried == dict(zip(arms, [7, 1, 7], strict=True))
    assert found.confirmed_fix == arms[2]


def test_fixes_for_all_failures_come_first(tmp_path: Path, scenario: Scenario) -> None:
    """What treats every failure of a game is tried before what treats one of them."""
    lay(tmp_path, ComparedScenario(BASELINE, (), scenario), 0, "ring_hopping")
    folder = tmp_path / BASELINE / "0"
    present = set(conditions_in(folder))
    assert len(present) == 2
    counts = [
        len(plugins.build("fixes", name).treats & present) for name in rank_fixes([folder], present)
    ]
    assert counts == sorted(counts, reverse=True)
    assert {1, 2} == set(counts)


def test_causes_come_before_habits(tmp_path: Path, scenario: Scenario) -> None:
    """Of fixes that treat as much, those come first that fit the cause that was found."""
    lay(tmp_path, ComparedScenario(BASELINE, (), scenario), 0, "ring_hopping")
    folder = tmp_path / BASELINE / "0"
    present = set(conditions_in(folder))
    found = [plugins.build("fixes", name) for name in rank_fixes([folder], present)]
    both = [bool(fix.causes) for fix in found if present <= fix.treats]
    assert both == sorted(both, reverse=True)
    assert {True, False} == set(both)


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
    assert len(list(Path("out").glob(f"*/*/{OUTCOME_FILE}"))) == 6
