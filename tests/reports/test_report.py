"""The report: its title, its verdict, and the fixes that it suggests."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from gandiag.diagnosis.diagnosis import Diagnosis
from gandiag.plugins import registry as plugins
from gandiag.plugins.builtin import BUILT_IN, DETECTORS
from gandiag.records.record import Record
from gandiag.reports.report import Report, format_verdict, suggest_fixes
from gandiag.scenario.schema import Scenario

ALL = [(name, plugins.build("fixes", name)) for name in BUILT_IN["fixes"]]


def present(condition: str, **other: Any) -> Diagnosis:
    """A failure that has been present since step 100."""
    return Diagnosis(condition, "present", "It is.", **{"kind": "total", "onset": 100} | other)


@dataclass(frozen=True)
class FewerSteps:
    """A fix for the tests: it trains for fewer steps."""

    treats: frozenset[str] = frozenset({"mode_collapse"})
    causes: frozenset[str] = frozenset()
    advice: str = "Train for fewer steps."
    changes: dict[str, Any] = field(default_factory=lambda: {"training.steps": 7})

    def apply(self, scenario: Scenario) -> Scenario:
        """Return the scenario with fewer steps."""
        return scenario.set(self.changes)


def test_no_fix_for_absent_failures() -> None:
    """No fix is suggested for absent and inconclusive failures."""
    healthy = [Diagnosis("mode_collapse", "absent", ""), Diagnosis("x", "inconclusive", "")]
    assert suggest_fixes(Scenario(), healthy, ALL) == ()


@pytest.mark.parametrize("name", DETECTORS)
def test_every_failure_has_a_fix(name: str) -> None:
    """On the default scenario, a fix is suggested for the failure of each detector."""
    condition = plugins.load("detectors", name).condition  # type: ignore[attr-defined]
    suggested = suggest_fixes(Scenario(), [present(condition)], ALL)
    assert suggested
    assert {fix.condition for fix in suggested} == {condition}


def test_fixes_for_the_cause_come_first() -> None:
    """A fix for the diagnosed cause comes before general fixes."""
    scenario = Scenario.parse({"variant": {"vanilla": {"objective": "saturating"}}})
    found = suggest_fixes(
        scenario, [present("vanishing_gradients", cause="saturated_objective")], ALL
    )
    assert found[0].fix == "non_saturating"
    assert "-    objective: saturating" in found[0].diff
    assert "+    objective: non_saturating" in found[0].diff


def test_fixes_for_other_causes_are_left_out() -> None:
    """A fix with causes is suggested only for one of them as cause or failure type."""
    fix = ("fewer_steps", FewerSteps(causes=frozenset({"some_cause", "some_type"})))
    assert suggest_fixes(Scenario(), [present("mode_collapse", cause="other_cause")], [fix]) == ()
    assert suggest_fixes(Scenario(), [present("mode_collapse", cause="some_cause")], [fix])
    assert suggest_fixes(Scenario(), [present("mode_collapse", kind="some_type")], [fix])
    assert suggest_fixes(Scenario(), [present("non_convergence", cause="some_cause")], [fix]) == ()


def test_fix_without_a_change_is_left_out() -> None:
    """A fix that would change nothing is not suggested."""
    fix = ("fewer_steps", FewerSteps(changes={"training.steps": Scenario().training.steps}))
    assert suggest_fixes(Scenario(), [present("mode_collapse")], [fix]) == ()


def test_equal_changes_are_suggested_once() -> None:
    """Of two fixes with the same change, only the first is suggested."""
    fixes = [("one", FewerSteps()), ("other", FewerSteps())]
    assert [t.fix for t in suggest_fixes(Scenario(), [present("mode_collapse")], fixes)] == ["one"]


def test_title_is_scenario_or_folder() -> None:
    """The title is the scenario's name, or the folder's name without a scenario."""
    record = Record({}, folder=Path("reports/mine"))
    assert Report(Scenario(name="ring"), record, ()).title == "ring"
    assert Report(None, record, ()).title == "mine"
    assert Report(None, Record({}), ()).title == "record"


def test_unexpected_is_what_differs() -> None:
    """`unexpected` lists the failures whose status differs from the scenario's `expect`."""
    scenario = Scenario(
        expect={"mode_collapse": "present", "non_convergence": "absent", "other": "absent"}
    )
    found = (present("mode_collapse"), present("non_convergence"))
    assert Report(scenario, Record({}), found).unexpected == (
        ("non_convergence", "absent", "present"),
        ("other", "absent", "not evaluated"),
    )
    assert Report(None, Record({}), found).unexpected == ()


def test_verdict_names_failures_by_onset() -> None:
    """The verdict names every present failure, in the order of their onsets."""
    late = present("mode_collapse", onset=900, kind="intra_mode")
    assert (
        format_verdict([late, present("non_convergence", kind=None)])
        == "non-convergence since step 100; mode collapse (intra mode) since step 900"
    )


def test_verdict_names_inconclusive_failures() -> None:
    """An inconclusive failure is named as such, and not reported as absent."""
    unclear = [Diagnosis("mode_collapse", "inconclusive", ""), Diagnosis("x", "absent", "")]
    assert format_verdict(unclear) == "inconclusive: mode collapse; no other failure detected"
