"""Recorded cases: what the detectors say of real runs, at the end and at every step before."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import NamedTuple

import pytest

from gandiag.diagnosis.diagnosis import Diagnosis, diagnose
from gandiag.plugins import registry as plugins
from gandiag.records.record import Record
from gandiag.scenario.schema import Scenario

RECORDS = Path(__file__).parents[2] / "recorded_runs"
DETECTORS = tuple(plugins.build("detectors", c.name) for c in Scenario().detection.detectors)
VANISHING, COLLAPSE, RESTLESS = "vanishing_gradients", "mode_collapse", "non_convergence"
EVERY = 100  # steps between two prefixes
WINDOW = 250  # steps: five looks, by which an onset may move as more of the run is seen


class Sick(NamedTuple):
    """What is expected of a condition in a record."""

    kind: str
    cause: str | None
    by: int
    """Step from which the alarm is on at every prefix until the end."""
    onset: tuple[int, int]


WEAK = "discriminator_too_weak"
EXPECTED: dict[str, dict[str, Sick]] = {
    "healthy": {},
    "mode_collapse_cured": {},  # slow: it has 60% of the diversity, and learns
    "slow_start": {},  # one blob until step 900, at a small learning rate
    "ring_healthy": {},
    "ring_critic": {},  # its generator's loss reads 25
    "vanishing_gradients": {
        VANISHING: Sick("saturated_objective", "saturated_objective", 300, (100, 200))
    },
    "ring_vanishing": {
        VANISHING: Sick("saturated_objective", "saturated_objective", 300, (100, 250))
    },
    "mode_collapse": {
        COLLAPSE: Sick("hopping", WEAK, 700, (50, 50)),
        RESTLESS: Sick("oscillation", WEAK, 700, (50, 150)),
    },
    "non_convergence": {
        COLLAPSE: Sick("hopping", WEAK, 700, (50, 50)),
        RESTLESS: Sick("oscillation", WEAK, 700, (50, 150)),
    },
    "ring_collapse": {
        COLLAPSE: Sick("total", "latent_ignored", 650, (50, 50)),
    },
    "ring_regression": {
        COLLAPSE: Sick("partial", None, 1000, (750, 900)),
        RESTLESS: Sick("regression", None, 1000, (700, 950)),
    },
    "ring_hopping": {
        COLLAPSE: Sick("hopping", WEAK, 700, (50, 50)),
        RESTLESS: Sick("oscillation", WEAK, 1300, (1100, 1200)),  # it pauses at 500 to 950
    },
}
HELD = {("vanishing_gradients", COLLAPSE), ("ring_vanishing", COLLAPSE)}  # never began to learn
SICK = [(name, condition) for name, sick in EXPECTED.items() for condition in sick]

every_record = pytest.mark.parametrize("name", EXPECTED)
every_sick = pytest.mark.parametrize(("name", "condition"), SICK)


@functools.cache
def asked(name: str) -> dict[int, dict[str, Diagnosis]]:
    """By the step of each prefix, what each detector says of it."""
    record = Record.load(RECORDS / name)
    steps = [*range(EVERY, record.last_step, EVERY), record.last_step]
    return {
        step: {found.condition: found for found in diagnose(record.until(step), DETECTORS)}
        for step in steps
    }


def test_all_records_are_expected() -> None:
    """No record lies about unjudged, and each is small."""
    folders = {path.name for path in RECORDS.iterdir() if (path / "signals.jsonl").is_file()}
    assert folders == set(EXPECTED)
    for name in folders:
        assert sum(file.stat().st_size for file in (RECORDS / name).iterdir()) < 40 * 1024


@every_record
def test_end_of_record(name: str) -> None:
    """At its end a record has its conditions, with kind, cause and onset, and no other one."""
    last = list(asked(name).values())[-1]
    for condition, found in last.items():
        sick = EXPECTED[name].get(condition)
        if sick is None:
            held = (name, condition) in HELD
            assert found.status == ("inconclusive" if held else "absent"), found.summary
        else:
            assert (found.status, found.kind, found.cause) == ("present", sick.kind, sick.cause)
            assert found.onset is not None
            assert sick.onset[0] <= found.onset <= sick.onset[1]


@every_record
def test_no_false_alarm(name: str) -> None:
    """What a record does not have is not seen in it at any step."""
    for step, found in asked(name).items():
        for condition, diagnosis in found.items():
            if condition not in EXPECTED[name]:
                assert diagnosis.status != "present", f"{condition} at {step}"


@every_sick
def test_alarm_comes_and_stays(name: str, condition: str) -> None:
    """The alarm is on by the stated step and at every later one."""
    sick = EXPECTED[name][condition]
    late = {step: found[condition] for step, found in asked(name).items() if step >= sick.by}
    assert late
    for step, found in late.items():
        assert found.status == "present", step


@every_sick
def test_onset_is_stable(name: str, condition: str) -> None:
    """While an alarm lasts, its onset moves by less than a window as more of the run is seen."""
    sick = EXPECTED[name][condition]
    onsets = [found[condition].onset for step, found in asked(name).items() if step >= sick.by]
    known = [onset for onset in onsets if onset is not None]
    assert len(known) == len(onsets)
    assert max(known) - min(known) <= WINDOW


@every_record
def test_evidence_agrees(name: str) -> None:
    """Where a condition is present something speaks for it; every number has its threshold."""
    for found in asked(name).values():
        for diagnosis in found.values():
            if diagnosis.status == "present":
                assert any(item.holds for item in diagnosis.evidence)
