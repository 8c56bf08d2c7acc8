"""Tests of the stability of a diagnosis: its history, its margins, and the next steps."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from gandiag.diagnosis.detectors.mode_collapse import ModeCollapse
from gandiag.diagnosis.diagnosis import Diagnosis, Evidence, Status, diagnose
from gandiag.diagnosis.stability import Evaluation, assess_stability, evaluate_history
from gandiag.records.record import Record, Row

RECORDS = Path(__file__).parents[1] / "recorded_runs"
NAME = "a/b/generator"


@dataclass(frozen=True)
class LateFailure:
    """A detector of a failure that is present from one step on."""

    at: int = 50  # The failure is present from this step on.

    condition: ClassVar[str] = "late_failure"
    needs: ClassVar[frozenset[str]] = frozenset({NAME})

    def detect(self, record: Record) -> Diagnosis:
        """Compare the newest step with that of the failure."""
        is_present = record.last_step >= self.at
        return Diagnosis(self.condition, "present" if is_present else "absent", "")


def make_record(steps: int) -> Record:
    """A record with one number per step."""
    return Record.from_rows(Row(step, {NAME: 1.0}) for step in range(steps + 1))


def make_history(*statuses: Status) -> tuple[Evaluation, ...]:
    """Evaluations at steps 10, 20, ..."""
    return tuple(Evaluation(10 * i, {"late_failure": s}) for i, s in enumerate(statuses, start=1))


def make_diagnosis(status: Status, *evidence: Evidence) -> Diagnosis:
    """A diagnosis of the late failure."""
    return Diagnosis("late_failure", status, "", evidence=evidence)


def test_history_is_that_of_prefixes() -> None:
    """Each evaluation is that of the record until its step; the last step is one of them."""
    record = Record.load(RECORDS / "mode_collapse")
    history = evaluate_history(record, [ModeCollapse()], evaluations=5)
    assert history[-1].step == record.last_step
    assert len(history) == 5
    for step, statuses in history:
        (diagnosis,) = diagnose(record.until(step), [ModeCollapse()])
        assert statuses == {"mode_collapse": diagnosis.status}


def test_history_of_empty_record_is_empty() -> None:
    """An empty record has no evaluations."""
    assert evaluate_history(Record({}), [ModeCollapse()]) == ()


@pytest.mark.parametrize("at", [1, 30, 50, 51, 80])
def test_steady_means_the_last_half(at: int) -> None:
    """A diagnosis is steady exactly if its status was the same in the last half of the run."""
    record = make_record(100)
    (diagnosis,) = diagnose(record, [LateFailure(at)])
    history = evaluate_history(record, [LateFailure(at)], evaluations=10)
    stability = assess_stability(diagnosis, record, history)
    assert stability.level == ("steady" if at <= 60 else "recent")
    if at > 10:
        since = 10 * int(np.ceil(at / 10))
        assert f"since step {since}," in stability.reasons[0]
    else:
        assert "At all 10 evaluations" in stability.reasons[0]


def test_inconclusive_is_open() -> None:
    """An inconclusive diagnosis is not steady, however long it has been inconclusive."""
    history = make_history(*["inconclusive"] * 4)  # type: ignore[list-item]
    stability = assess_stability(make_diagnosis("inconclusive"), make_record(40), history)
    assert stability.level == "open"


def test_margins_are_factors() -> None:
    """The strongest evidence is farthest beyond its threshold; a close number is reported."""
    clear = Evidence(NAME, 8.0, ">", 2.0, True, "clear one")
    clearer = Evidence(NAME, 0.01, "<", 0.1, True, "clearer one")
    close = Evidence(NAME, 0.9, ">", 1.0, False, "close one")
    far = Evidence(NAME, 1e-4, "<", 1.0, True, "far one")
    record = make_record(9)
    present = assess_stability(make_diagnosis("present", clear, clearer, close), record, ())
    text = " ".join(present.reasons)
    assert (
        "The strongest evidence: clearer one 0.01 (threshold: below 0.1), a factor of 10." in text
    )
    assert "Close to its threshold: close one 0.9 (threshold: above 1)." in text
    present = assess_stability(make_diagnosis("present", far), record, ())
    assert "more than a factor of 100." in present.reasons[0]
    absent = assess_stability(
        make_diagnosis("absent", Evidence("s", 0.1, ">", 1.0, False, "x")), record, ()
    )
    assert any("differs from its threshold by a factor" in reason for reason in absent.reasons)


def test_unknown_numbers_are_reported() -> None:
    """Evidence that is not a number is listed as unknown."""
    unknown = Evidence(NAME, float("nan"), ">", 1.0, False, "lost one")
    stability = assess_stability(make_diagnosis("absent", unknown), make_record(9), ())
    assert stability.reasons == ("Unknown: lost one.",)


def test_missing_signals_are_a_next_step() -> None:
    """Where a detector lacks signals, the next step is to record them."""
    record = Record.from_rows([Row(1, {"c/d/generator": 1.0})])
    (diagnosis,) = diagnose(record, [LateFailure()])
    stability = assess_stability(diagnosis, record, (), LateFailure())
    assert stability.next_steps == (f"Record the missing signals: {NAME}.",)


def test_every_status_has_a_next_step() -> None:
    """Each status has something that the user can do to confirm or refute it."""
    statuses: tuple[Status, ...] = ("present", "absent", "inconclusive")
    for status in statuses:
        assert assess_stability(make_diagnosis(status), make_record(9), ()).next_steps, status
