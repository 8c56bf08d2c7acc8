"""Laws of the monitor: when it asks while a run goes on."""

from __future__ import annotations

from itertools import pairwise
from typing import ClassVar

from hypothesis import given, settings
from hypothesis import strategies as st

from gandiag.diagnosis.diagnosis import Diagnosis
from gandiag.diagnosis.online import Monitor
from gandiag.records.record import Record
from gandiag.records.writer import Recorder


class Asked:
    """A detector that notes how many steps the record has when it is asked."""

    condition: ClassVar[str] = "mode_collapse"
    needs: ClassVar[frozenset[str]] = frozenset()

    def __init__(self) -> None:
        self.times = 0

    def detect(self, record: Record) -> Diagnosis:
        """Count, and find nothing."""
        self.times += 1
        return Diagnosis(self.condition, "absent", "nothing")


def questions(every: int, flush: int, steps: int) -> list[int]:
    """Steps at which a monitor asks."""
    asked, found = Asked(), []
    monitor = Monitor(Recorder(None, {}, {}), [asked], every)
    for step in range(flush, steps + 1, flush):
        before = asked.times
        monitor.on_flush([], step)
        found += [step] * (asked.times - before)
    return found


def test_questions_come_at_the_cadence() -> None:
    """Up to fifty times the cadence, there is a question at each of its multiples."""
    assert questions(100, 50, 5000) == list(range(100, 5001, 100))


@settings(deadline=None, max_examples=25)
@given(st.integers(20, 300), st.sampled_from([10, 50]), st.integers(0, 60_000))
def test_questions_are_few_and_never_late(every: int, flush: int, steps: int) -> None:
    """No part of a run waits for more than a fiftieth of it, nor for more than the cadence."""
    asked = [0, *questions(every, flush, steps)]
    for earlier, later in pairwise(asked):
        assert later - earlier >= max(every, later // 50)
        assert later - earlier < max(every, later / 50) + 1.1 * flush
