"""Tests of the detectors on recorded runs, at their end and at every step before."""

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
VANISHING, COLLAPSE, NON_CONVERGENCE = "vanishing_gradients", "mode_collapse", "non_convergence"
EVERY = 100  # steps between two prefixes
# Steps by which an onset may move as the record gets longer: five evaluations.
WINDOW = 250


class Expected(NamedTuple):
    """The expected diagnosis of a failure in a record.

    Attributes:
        kind: failure type at the end of the record.
        cause: cause at the end of the record.
        by: step from which the failure is present at every prefix until the end.
        onset: earliest and latest onset at the end of the record.
    """

    kind: str
    cause: str | None
    by: int
    onset: tuple[int, int]


WEAK = "discriminator_too_weak"
EXPECTED: dict[str, dict[str, Expected]] = {
    "healthy": {},
    "mode_collapse_cured": {},  # slow: it has 60 % of the modes, and learns
    "slow_start": {},  # all samples alike until step 900, with a small learning rate
    "ring_healthy": {},
    "ring_critic": {},  # its generator's loss is 25
    "vanishing_gradients": {
        VANISHING: Expected("saturated_objective", "saturated_objective", 300, (100, 200))
    },
    "ring_vanishing": {
        VANISHING: Expected("saturated_objective", "saturated_objective", 400, (100, 250))
    },
    "mode_collapse": {
        COLLAPSE: Expected("hopping", WEAK, 700, (50, 50)),
        NON_CONVERGENCE: Expected("oscillation", WEAK, 700, (50, 150)),
    },
    "non_convergence": {
        COLLAPSE: Expected("hopping", WEAK, 700, (50, 50)),
        NON_CONVERGENCE: Expected("oscillation", WEAK, 700, (50, 150)),
    },
    "ring_collapse": {
        COLLAPSE: Expected("total", "latent_ignored", 650, (50, 50)),
    },
    "ring_regression": {
        COLLAPSE: Expected("partial", None, 1000, (750, 900)),
        NON_CONVERGENCE: Expected("regression", None, 1000, (700, 950)),
    },
    "ring_hopping": {
        COLLAPSE: Expected("hopping", WEAK, 700, (50, 50)),
        # The oscillation pauses from step 500 to 950.
        NON_CONVERGENCE: Expected("oscillation", WEAK, 1300, (950, 1200)),
    },
}
# Their generators never began to learn.
INCONCLUSIVE = {("vanishing_gradients", COLLAPSE), ("ring_vanishing", COLLAPSE)}
FAILURES = [(name, condition) for name, failures in EXPECTED.items() for condition in failures]

every_record = pytest.mark.parametrize("name", EXPECTED)
every_failure = pytest.mark.parametrize(("name", "condition"), FAILURES)


@functools.cache
def diagnose_prefixes(name: str) -> dict[int, dict[str, Diagnosis]]:
    """The diagnoses of each prefix of a record, by its step and by condition."""
    record = Record.load(RECORDS / name)
    steps = [*range(EVERY, record.last_step, EVERY), record.last_step]
    return {
        step: {found.condition: found for found in diagnose(record.until(step), DETECTORS)}
        for step in steps
    }


def test_all_records_are_expected() -> None:
    """Every record has expectations, and each is small."""
    folders = {path.name for path in RECORDS.iterdir() if (path / "signals.jsonl").is_file()}
    assert folders == set(EXPECTED)
    for name in folders:
        assert sum(file.stat().st_size for file in (RECORDS / name).iterdir()) < 40 * 1024


@every_record
def test_end_of_record(name: str) -> None:
    """At its end, a record has the expected failures, with type, cause and onset, and no other."""
    last = list(diagnose_prefixes(name).values())[-1]
    for condition, found in last.items():
        expected = EXPECTED[name].get(condition)
        if expected is None:
            is_open = (name, condition) in INCONCLUSIVE
            assert found.status == ("inconclusive" if is_open else "absent"), found.summary
        else:
            assert found.status == "present"
            assert (found.kind, found.cause) == (expected.kind, expected.cause)
            assert found.onset is not None
            assert expected.onset[0] <= found.onset <= expected.onset[1]


@every_record
def test_no_false_alarm(name: str) -> None:
    """A failure that a record does not have is not present at any step."""
    for step, found in diagnose_prefixes(name).items():
        for condition, diagnosis in found.items():
            if condition not in EXPECTED[name]:
                assert diagnosis.status != "present", f"{condition} at {step}"


@every_failure
def test_alarm_comes_and_stays(name: str, condition: str) -> None:
    """The failure is present from the expected step on, and at every later one."""
    by = EXPECTED[name][condition].by
    prefixes = diagnose_prefixes(name)
    late = {step: found[condition] for step, found in prefixes.items() if step >= by}
    assert late
    for step, found in late.items():
        assert found.status == "present", step


@every_failure
def test_onset_is_stable(name: str, condition: str) -> None:
    """While a failure lasts, its onset moves by a window at most as the record gets longer."""
    by = EXPECTED[name][condition].by
    prefixes = diagnose_prefixes(name)
    onsets = [found[condition].onset for step, found in prefixes.items() if step >= by]
    known = [onset for onset in onsets if onset is not None]
    assert len(known) == len(onsets)
    assert max(known) - min(known) <= WINDOW


@every_record
def test_evidence_agrees(name: str) -> None:
    """Where a failure is present, at least one number of its evidence exceeds its threshold."""
    for found in diagnose_prefixes(name).values():
        for diagnosis in found.values():
            if diagnosis.status == "present":
                assert any(item.holds for item in diagnosis.evidence)
