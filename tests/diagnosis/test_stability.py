"""How sure an answer is: what was answered along the run, margins, and what would settle it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from gandiag.diagnosis.detectors.mode_collapse import ModeCollapse
from gandiag.diagnosis.diagnosis import Diagnosis, Evidence, Status, diagnose
from gandiag.diagnosis.stability import Evaluation, evaluate_history, stability_of
from gandiag.records.record import Record, Row

RECORDS = Path(__file__).parents[1] / "recorded_runs"
PRESENT, ABSENT, OPEN = "present", "absent", "inconclusive"


@dataclass(frozen=True)
class Late:
    """Says that something is present once a step is reached."""

    at: int = 50  # step

    condition: ClassVar[str] = "late_thing"
    needs: ClassVar[frozenset[str]] = frozenset({"a/b/generator"})

    def detect(self, record: Record) -> Diagnosis:
        """Judge the newest step."""
        there = record.last_step >= self.at
        return Diagnosis(self.condition, PRESENT if there else ABSENT, "")


def played(steps: int) -> Record:
    """A record of one number a step."""
    return Record.from_rows(Row(step, {"a/b/generator": 1.0}) for step in range(steps + 1))


def answers(*statuses: Status) -> tuple[Evaluation, ...]:
    """What was answered at steps 10, 20, ..."""
    return tuple(Evaluation(10 * i, {"late_thing": s}) for i, s in enumerate(statuses, start=1))


def an_answer(status: Status, *evidence: Evidence) -> Diagnosis:
    """An answer about the late thing."""
    return Diagnosis("late_thing", status, "", evidence=evidence)


def test_history_is_that_of_prefixes() -> None:
    """At each step, the answer is that of the record as it stood; the last step is among them."""
    record = Record.load(RECORDS / "mode_collapse")
    history = evaluate_history(record, [ModeCollapse()], looks=5)
    assert history[-1].step == record.last_step
    assert len(history) == 5
    for step, statuses in history:
        (answer,) = diagnose(record.until(step), [ModeCollapse()])
        assert statuses == {"mode_collapse": answer.status}


def test_history_of_nothing_is_empty() -> None:
    """An empty record was never asked."""
    assert evaluate_history(Record({}), [ModeCollapse()]) == ()


@pytest.mark.parametrize("at", [1, 30, 50, 51, 80])
def test_steady_means_the_last_half(at: int) -> None:
    """An answer is steady exactly where it was given throughout the last half of the run."""
    record = played(100)
    (answer,) = diagnose(record, [Late(at)])
    certainty = stability_of(answer, record, evaluate_history(record, [Late(at)], looks=10))
    assert certainty.level == ("steady" if at <= 60 else "recent")
    if at > 10:
        since = 10 * int(np.ceil(at / 10))
        assert f"since step {since}," in certainty.reasons[0]
    else:
        assert "same answer each time" in certainty.reasons[0]


def test_inconclusive_is_open() -> None:
    """What cannot be told is not steady, however often it could not."""
    certainty = stability_of(an_answer(OPEN), played(40), answers(OPEN, OPEN, OPEN, OPEN))
    assert certainty.level == "open"


def test_margins_are_factors() -> None:
    """The clearest sign is the one furthest beyond its threshold; a near one is named as such."""
    clear = Evidence("a/b/generator", 8.0, ">", 2.0, True, "clear one")
    clearer = Evidence("a/b/generator", 0.01, "<", 0.1, True, "clearer one")
    near = Evidence("a/b/generator", 0.9, ">", 1.0, False, "near one")
    told = stability_of(an_answer(PRESENT, clear, clearer, near), played(9), ()).reasons
    assert any("clearest sign is the clearer one" in reason for reason in told)
    assert any("a factor of 10" in reason for reason in told)
    assert any("Close to its threshold is the near one" in reason for reason in told)
    told = stability_of(an_answer(ABSENT, Evidence("s", 0.1, ">", 1.0, False, "x")), played(9), ())
    assert any("No number lies within" in reason for reason in told.reasons)


def test_unknown_numbers_are_told() -> None:
    """Evidence that is no number neither speaks for anything nor is kept quiet."""
    unknown = Evidence("a/b/generator", float("nan"), ">", 1.0, False, "lost one")
    told = stability_of(an_answer(ABSENT, unknown), played(9), ()).reasons
    assert told == ("Not known: lost one.",)


def test_missing_signals_would_settle_it() -> None:
    """Where a detector lacks what it needs, that is what would settle it."""
    record = Record.from_rows([Row(1, {"c/d/generator": 1.0})])
    (answer,) = diagnose(record, [Late()])
    certainty = stability_of(answer, record, (), Late())
    assert certainty.next_steps == ("Measuring what is missing: a/b/generator.",)


def test_every_answer_can_be_settled() -> None:
    """Whatever was answered, something is named that would make it surer."""
    for status in (PRESENT, ABSENT, OPEN):
        assert stability_of(an_answer(status), played(9), ()).next_steps
