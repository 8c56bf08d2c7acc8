"""Laws of the report: what it calls things, and what it suggests."""

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
    """A condition that is there since step 100."""
    return Diagnosis(condition, "present", "It is.", **{"kind": "total", "onset": 100} | other)


@dataclass(frozen=True)
class Slows:
    """A made-up fix that slows G down."""

    treats: frozenset[str] = frozenset({"mode_collapse"})
    causes: frozenset[str] = frozenset()
    advice: str = "Slow down."
    changes: dict[str, Any] = field(default_factory=lambda: {"training.steps": 7})

    def apply(self, scenario: Scenario) -> Scenario:
        """Return the slower scenario."""
        return scenario.set(self.changes)


def test_absent_needs_no_treatment() -> None:
    """Nothing is suggested against what is absent or unclear."""
    healthy = [Diagnosis("mode_collapse", "absent", ""), Diagnosis("x", "inconclusive", "")]
    assert suggest_fixes(Scenario(), healthy, ALL) == ()


@pytest.mark.parametrize("name", DETECTORS)
def test_present_gets_treatment(name: str) -> None:
    """For every condition, on the default scenario, something can be done."""
    condition = plugins.load("detectors", name).condition  # type: ignore[attr-defined]
    treatments = suggest_fixes(Scenario(), [present(condition)], ALL)
    assert treatments
    assert {treatment.condition for treatment in treatments} == {condition}


def test_known_cause_comes_first() -> None:
    """A fix for the very cause stands before those that help whatever it is."""
    scenario = Scenario.parse({"variant": {"vanilla": {"objective": "saturating"}}})
    found = suggest_fixes(
        scenario, [present("vanishing_gradients", cause="saturated_objective")], ALL
    )
    assert found[0].fix == "non_saturating"
    assert "-    objective: saturating" in found[0].diff
    assert "+    objective: non_saturating" in found[0].diff


def test_other_causes_are_left_out() -> None:
    """A fix that names causes is suggested only where one of them, or of the kinds, was found."""
    fix = ("slow", Slows(causes=frozenset({"haste", "hopping"})))
    assert suggest_fixes(Scenario(), [present("mode_collapse", cause="sloth")], [fix]) == ()
    assert suggest_fixes(Scenario(), [present("mode_collapse", cause="haste")], [fix])
    assert suggest_fixes(Scenario(), [present("mode_collapse", kind="hopping")], [fix])
    assert suggest_fixes(Scenario(), [present("non_convergence", cause="haste")], [fix]) == ()


def test_no_change_no_suggestion() -> None:
    """A fix that would change nothing is not suggested."""
    fix = ("slow", Slows(changes={"training.steps": Scenario().training.steps}))
    assert suggest_fixes(Scenario(), [present("mode_collapse")], [fix]) == ()


def test_same_change_is_said_once() -> None:
    """Of two fixes that come to the same scenario, one is suggested."""
    twins = [("one", Slows()), ("other", Slows())]
    assert [t.fix for t in suggest_fixes(Scenario(), [present("mode_collapse")], twins)] == ["one"]


def test_title_is_scenarios_or_folders() -> None:
    """A report is called as its scenario, or as the folder where there is none."""
    record = Record({}, folder=Path("reports/mine"))
    assert Report(Scenario(name="ring"), record, ()).title == "ring"
    assert Report(None, record, ()).title == "mine"
    assert Report(None, Record({}), ()).title == "record"


def test_unexpected_is_what_differs() -> None:
    """What a scenario expects is compared with what was found, and with what was not asked."""
    scenario = Scenario(
        expect={"mode_collapse": "present", "non_convergence": "absent", "other": "absent"}
    )
    found = (present("mode_collapse"), present("non_convergence"))
    assert Report(scenario, Record({}), found).unexpected == (
        ("non_convergence", "absent", "present"),
        ("other", "absent", "not asked"),
    )
    assert Report(None, Record({}), found).unexpected == ()


def test_verdict_puts_earliest_first() -> None:
    """The line names every condition that is there, in the order in which they came."""
    late = present("mode_collapse", onset=900, kind="intra_mode")
    assert (
        format_verdict([late, present("non_convergence", kind=None)])
        == "non-convergence since step 100; mode collapse (intra mode) since step 900"
    )


def test_verdict_admits_ignorance() -> None:
    """What could not be judged is not called absent."""
    unclear = [Diagnosis("mode_collapse", "inconclusive", ""), Diagnosis("x", "absent", "")]
    assert format_verdict(unclear) == "nothing found, but mode collapse could not be judged"
