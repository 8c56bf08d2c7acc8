"""Tests of the definitions of the failures."""

from __future__ import annotations

import dataclasses

import pytest

from gandiag.benchmarks.oracle import labels
from gandiag.diagnosis.definitions import define, read_definitions
from gandiag.plugins import registry as plugins
from gandiag.plugins.builtin import DETECTORS

NAMES = [f"{group}.{name}" for group, entries in read_definitions().items() for name in entries]


@pytest.mark.parametrize("name", NAMES)
def test_definition_has_a_reason(name: str) -> None:
    """Each definition has a number and a reason in a complete sentence."""
    group, key = name.split(".")
    entry = read_definitions()[group][key]
    assert set(entry) <= {"value", "unit", "why"}
    assert isinstance(define(name), float)
    assert entry["why"][0].isupper() or entry["why"][0].isdigit()
    assert entry["why"].endswith(".")


@pytest.mark.parametrize("condition", DETECTORS)
def test_options_are_definitions(condition: str) -> None:
    """Each option of a detector is a definition of its failure, and there are at most 20."""
    detector = plugins.build("detectors", condition)
    fields = dataclasses.fields(detector)  # type: ignore[arg-type]
    assert len(fields) <= 20
    for field in fields:
        assert field.default == define(f"{condition}.{field.name}")


def test_oracle_has_the_same_definitions() -> None:
    """The labels of the benchmark have the effect sizes of the detectors."""
    assert define("mode_collapse.effective_modes") == labels.LOW_DIVERSITY
    assert define("mode_collapse.within_mode_variance") == labels.LOW_VARIETY
    assert define("mode_collapse.total") == labels.TOTAL_DIVERSITY
    assert define("non_convergence.turnover") == labels.HIGH_TURNOVER
    assert define("non_convergence.displacement") == labels.HIGH_DISPLACEMENT
