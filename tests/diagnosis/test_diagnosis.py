"""Tests of diagnoses and evidence: their JSON form, and their texts."""

from __future__ import annotations

import json
import math

import pytest

from gandiag.diagnosis.diagnosis import Diagnosis, Evidence, report_missing_signals
from gandiag.monitoring.signals import EFFECTIVE_MODES, signal_info


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
