"""Tests of diagnoses and evidence: their JSON form, and their texts."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace

import pytest

from gandiag.diagnosis.diagnosis import (
    About,
    Diagnosis,
    Evidence,
    diagnose,
    report_missing_signals,
)
from gandiag.monitoring.signals import EFFECTIVE_MODES, signal_info
from gandiag.records.facts import SCORES
from gandiag.records.record import Record, Row


@pytest.mark.parametrize("observed", [0.25, math.inf, -math.inf])
def test_json_and_back(observed: float) -> None:
    """A diagnosis from its own JSON is equal, also with non-finite numbers."""
    evidence = Evidence(EFFECTIVE_MODES, observed, "<", 0.7, observed < 0.7)
    diagnosis = Diagnosis("mode_collapse", "present", "Text.", "total", 50, None, 0.5, (evidence,))
    data = json.loads(json.dumps(diagnosis.as_json(), allow_nan=False))
    assert Diagnosis.from_json(data) == diagnosis


def test_earlier_value_of_about_opens() -> None:
    """Files of earlier versions have "game" for what is "training" now."""
    data = Diagnosis("mode_collapse", "absent", "").as_json()
    assert Diagnosis.from_json(data | {"about": "game"}).about == "training"
    assert Diagnosis.from_json(data | {"about": "loop"}).about == "loop"


def test_meaning_defaults_to_the_registry() -> None:
    """Evidence has the label of its signal, or the name of a signal that is not registered."""
    info = signal_info(EFFECTIVE_MODES)
    assert info is not None
    assert Evidence(EFFECTIVE_MODES, 1.0, "<", 0.7, False).meaning == info.label
    assert Evidence("mine/share/generator", 1.0, "<", 0.7, False).meaning == "mine/share/generator"


def test_missing_signals_name_their_probes() -> None:
    """The summary of missing signals is a sentence for one signal and for several."""
    one = report_missing_signals("c", ["loss/value/generator"]).summary
    assert one.endswith("The probe loss of gandiag.attach records it.")
    two = report_missing_signals("c", ["loss/value/generator", "a/b/generator"]).summary
    assert two.endswith("The probes a and loss of gandiag.attach record them.")


def test_bug_of_the_loop_is_the_cause_of_failures() -> None:
    """A lint that is present is the cause of each failure; a misread option is not."""

    @dataclass(frozen=True)
    class Fixed:
        """A detector with a fixed answer."""

        condition: str
        about: About
        needs: frozenset[str] = frozenset()

        def detect(self, record: Record) -> Diagnosis:
            """The answer."""
            cause = "discriminator_too_strong"
            return Diagnosis(self.condition, "present", "Text.", None, 0, cause, about=self.about)

    failure = Fixed("mode_collapse", "training")
    misread, bug = (Fixed(name, "loop") for name in ("misread_scores", "unscaled_data"))
    found = diagnose(Record({}), (failure, misread))
    assert found[0].cause == "discriminator_too_strong"
    found = diagnose(Record({}), (failure, misread, bug))
    assert [d.cause for d in found] == ["unscaled_data", *2 * ("discriminator_too_strong",)]
    assert "a bug in the loop, unscaled data" in found[0].summary


def test_probes_of_an_attached_run_are_not_recommended_again() -> None:
    """The message of a missing signal says what the probe of an attached run has done."""
    attached = Record({}, facts={SCORES: "logits"})
    text = report_missing_signals("c", ["loss/value/generator"], record=attached).summary
    assert text.endswith("Nothing was measured by the probe loss so far.")
    rows = [Row(0, {"loss/other/generator": 1.0})]
    running = replace(Record.from_rows(rows), facts={SCORES: "logits"})
    text = report_missing_signals("c", ["loss/value/generator"], record=running).summary
    assert "The probe loss has run" in text
