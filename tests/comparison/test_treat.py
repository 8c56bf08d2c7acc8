"""Tests of the search for a fix: which fixes are tried, given up, confirmed and written."""

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
FAILING, HEALTHY = "ring_collapse", "ring_healthy"


@pytest.fixture
def scenario() -> Scenario:
    """A ring whose generator is trained too fast for its discriminator."""
    data = {"name": "outrun", "data": "ring", "training": {"steps": 1, "generator": {"steps": 5}}}
    return Scenario.parse(data)


def place_run(folder: Path, compared: ComparedScenario, seed: int, name: str) -> None:
    """Copy a recorded run to the folder of a run of the comparison, with its outcome."""
    place = folder / compared.name / str(seed)
    shutil.copytree(RECORDS / name, place)
    (place / "samples").mkdir()
    (place / "scenario.yaml").write_text(compared.trial_scenario(seed).as_yaml())
    detectors = [plugins.build("detectors", each) for each in DETECTORS]
    statuses = {d.condition: d.status for d in diagnose(Record.load(place), detectors)}
    distance = 0.1 if name == HEALTHY else 1.0
    outcome = Outcome(
        compared.name, seed, statuses, {}, ((1, distance),), 0.5, 0.5, 1.0, "distance"
    )
    data = {"game": compared.digest(seed), "outcome": outcome.as_json()}
    (place / OUTCOME_FILE).write_text(json.dumps(data))


def place_runs(
    folder: Path, scenario: Scenario, fixes: dict[str, str], failing: str = FAILING, seeds: int = 6
) -> None:
    """Place all runs of the baseline, and of fixes; several fixes are joined by ``+``."""
    for seed in range(seeds):
        place_run(folder, ComparedScenario(BASELINE, (), scenario), seed, failing)
        for names, record in fixes.items():
            place_run(folder, apply_fixes(scenario, names.split("+")), seed, record)


def first_for(folder: Path, scenario: Scenario, record: str, *on: str) -> str:
    """Return the fix that is tried first against the failures of a recorded run."""
    return order_for(folder, scenario, record, *on)[0]


def order_for(folder: Path, scenario: Scenario, record: str, *on: str) -> list[str]:
    """Return the fixes against the failures of a recorded run, best first."""
    compared = apply_fixes(scenario, on) if on else ComparedScenario(BASELINE, (), scenario)
    place_run(folder, compared, 0, record)
    place = folder / compared.name / "0"
    return rank_fixes([place], conditions_in(place))


def conditions_in(folder: Path) -> list[str]:
    """Return the conditions that are present in a run."""
    return [d.condition for d in reopen_report(folder).diagnoses if d.status == "present"]


def test_confirmed_fix_is_written(scenario: Scenario, tmp_path: Path) -> None:
    """A fix whose runs are all healthy is confirmed, and its scenario is written."""
    fix = first_for(tmp_path / "first", scenario, FAILING)
    folder = tmp_path / "all"
    place_runs(folder, scenario, {fix: HEALTHY})
    lines: list[str] = []
    found = treat(
        scenario, folder, seeds=6, most=1, workers=Workers(jobs=1), resume=True, log=lines.append
    )
    assert found.confirmed_fix == fix
    assert found.fixed_scenario == folder / FIXED_SCENARIO
    cured = Scenario.load(folder / FIXED_SCENARIO)
    assert cured.name == "outrun_cured"
    assert cured.set({"name": "outrun", "about": ""}) == plugins.build("fixes", fix).apply(scenario)
    assert (folder / "comparison.html").is_file()
    assert any("mode collapse in 6 of 6" in line for line in lines)


def test_hopeless_fix_is_given_up(scenario: Scenario, tmp_path: Path) -> None:
    """After one failing run of six no fix can be confirmed, so the other five are not trained."""
    fix = first_for(tmp_path / "first", scenario, FAILING)
    folder = tmp_path / "all"
    place_runs(folder, scenario, {fix: FAILING})
    found = treat(scenario, folder, seeds=6, most=1, workers=Workers(jobs=1), resume=True)
    assert found.confirmed_fix is None
    assert not (folder / FIXED_SCENARIO).exists()
    assert list(found.comparison.fix_results[0].outcomes) == [0]
    assert fix not in found.untried


def test_second_fix_is_added_to_a_helpful_one(tmp_path: Path) -> None:
    """If a fix exchanges one failure for another, a fix of the new failure is added to it."""
    variant = {"vanilla": {"objective": "saturating"}}
    scenario = Scenario.parse({"data": "ring", "variant": variant, "training": {"steps": 1}})
    first = first_for(tmp_path / "first", scenario, "ring_vanishing")
    second = first_for(tmp_path / "second", scenario, FAILING, first)
    both = f"{first}+{second}"
    folder = tmp_path / "all"
    place_runs(folder, scenario, {first: FAILING, both: HEALTHY}, failing="ring_vanishing", seeds=7)
    found = treat(scenario, folder, seeds=7, most=2, workers=Workers(jobs=1), resume=True)
    assert [result.compared.name for result in found.comparison.fix_results] == [first, both]
    assert found.comparison.fix_results[0].verdict == "helps"
    assert found.confirmed_fix == both
    assert all(both != other and first != other for other in found.untried)


def test_useless_second_fix_is_replaced(tmp_path: Path) -> None:
    """A second fix that does not remove the new failure is given up, and another one is tried.

    One run is enough: the new failure is then present in more runs than in the baseline.
    """
    variant = {"vanilla": {"objective": "saturating"}}
    scenario = Scenario.parse({"data": "ring", "variant": variant, "training": {"steps": 1}})
    first = first_for(tmp_path / "first", scenario, "ring_vanishing")
    second, third = order_for(tmp_path / "second", scenario, FAILING, first)[:2]
    names = [first, f"{first}+{second}", f"{first}+{third}"]
    folder = tmp_path / "all"
    records = dict(zip(names, [FAILING, FAILING, HEALTHY], strict=True))
    place_runs(folder, scenario, records, failing="ring_vanishing", seeds=7)
    found = treat(scenario, folder, seeds=7, most=3, workers=Workers(jobs=1), resume=True)
    tried = {result.compared.name: len(result.outcomes) for result in found.comparison.fix_results}
    assert tried == dict(zip(names, [7, 1, 7], strict=True))
    assert found.confirmed_fix == names[2]


def test_fixes_for_all_failures_come_first(tmp_path: Path, scenario: Scenario) -> None:
    """Fixes of all failures of a run are tried before fixes of some of them."""
    place_run(tmp_path, ComparedScenario(BASELINE, (), scenario), 0, "ring_hopping")
    folder = tmp_path / BASELINE / "0"
    present = set(conditions_in(folder))
    assert len(present) == 2
    counts = [
        len(plugins.build("fixes", name).treats & present) for name in rank_fixes([folder], present)
    ]
    assert counts == sorted(counts, reverse=True)
    assert {1, 2} == set(counts)


def test_fixes_of_found_causes_come_first(tmp_path: Path, scenario: Scenario) -> None:
    """Among fixes of equally many failures, those of a found cause come first."""
    place_run(tmp_path, ComparedScenario(BASELINE, (), scenario), 0, "ring_hopping")
    folder = tmp_path / BASELINE / "0"
    present = set(conditions_in(folder))
    found = [plugins.build("fixes", name) for name in rank_fixes([folder], present)]
    both = [bool(fix.causes) for fix in found if present <= fix.treats]
    assert both == sorted(both, reverse=True)
    assert {True, False} == set(both)


def test_few_seeds_are_refused(scenario: Scenario, tmp_path: Path) -> None:
    """If no fix could be confirmed with the given seeds, nothing is trained."""
    with pytest.raises(BadInput, match="too few to confirm one of 4 fixes; take 8"):
        treat(scenario, tmp_path / "out", seeds=5)
    assert not (tmp_path / "out").exists()


def test_nothing_to_treat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a failure only the baseline is trained, and the status is 0."""
    monkeypatch.chdir(tmp_path)
    text = "data: {ring: {samples: 300, held_out: 300}}\ntraining: {steps: 5}\nprobes: {units: off}"
    Path("short.yaml").write_text(text)
    arguments = "treat short.yaml --most 1 --seeds 6 --jobs 1 --threads 1 --out out"
    result = CliRunner().invoke(main, arguments.split())
    assert result.exit_code == 0, result.output
    assert "there is nothing to treat" in result.stderr
    assert len(list(Path("out").glob(f"*/*/{OUTCOME_FILE}"))) == 6
