"""Tests of the monitor: at which steps it evaluates the detectors."""

from __future__ import annotations

from itertools import pairwise
from typing import ClassVar

from hypothesis import given, settings
from hypothesis import strategies as st

from gandiag.diagnosis.diagnosis import Diagnosis
from gandiag.diagnosis.online import Monitor
from gandiag.records.record import Record
from gandiag.records.writer import Recorder


class CountingDetector:
    """A detector that counts its evaluations."""

    condition: ClassVar[str] = "mode_collapse"
    needs: ClassVar[frozenset[str]] = frozenset()

    def __init__(self) -> None:
        self.evaluations = 0

    def detect(self, record: Record) -> Diagnosis:
        """Count the evaluation."""
        self.evaluations += 1
        return Diagnosis(self.condition, "absent", "")


def evaluation_steps(every: int, flush: int, steps: int) -> list[int]:
    """Steps at which a monitor evaluates its detector."""
    detector, found = CountingDetector(), []
    monitor = Monitor(Recorder(None, {}, {}), [detector], every)
    for step in range(flush, steps + 1, flush):
        before = detector.evaluations
        monitor.on_flush([], step)
        found += [step] * (detector.evaluations - before)
    return found


def test_evaluations_follow_the_cadence() -> None:
    """Up to fifty times the cadence, there is an evaluation at each of its multiples."""
    assert evaluation_steps(100, 50, 5000) == list(range(100, 5001, 100))


@settings(deadline=None, max_examples=25)
@given(st.integers(20, 300), st.sampled_from([10, 50]), st.integers(0, 60_000))
def test_evaluations_are_few_and_never_late(every: int, flush: int, steps: int) -> None:
    """The next evaluation comes after the cadence or a fiftieth of the run, whichever is longer."""
    for earlier, later in pairwise([0, *evaluation_steps(every, flush, steps)]):
        assert later - earlier >= max(every, later // 50)
        assert later - earlier < max(every, later / 50) + 1.1 * flush
