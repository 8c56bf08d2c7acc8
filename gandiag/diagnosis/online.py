"""Looks at a run while it happens: tells the followers, asks the detectors, may end it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

from gandiag.diagnosis.diagnosis import Diagnosis, diagnose
from gandiag.plugins.protocols import Detector, Follower
from gandiag.records.record import Row
from gandiag.records.writer import Recorder

RUN_PARTS = 50  # a question waits for a fiftieth of the run so far, once that is more than its cadence


class Monitor:
    """Asks the detectors at a cadence, with the function that judges saved records too.

    Args:
        recorder: what is asked about.
        detectors: what is asked.
        every: generator steps between two questions, at first. Once a fiftieth of the steps so far
            is more, it is that: a question takes the longer, the more there is to look at.
        followers: told of new rows and of every condition that appears or clears. One that raises
            is dropped with a warning: a lost network must not end a training.
    """

    def __init__(
        self,
        recorder: Recorder,
        detectors: Sequence[Detector],
        every: int,
        followers: Sequence[Follower] = (),
    ) -> None:
        self.recorder = recorder
        self.detectors = tuple(detectors)
        self.followers = list(followers)
        self.present: frozenset[str] = frozenset()
        self._every = every
        self._last_evaluation = 0

    def on_flush(self, rows: Sequence[Row], step: int) -> None:
        """Pass new rows on, and ask the detectors where it is time."""
        self.notify(lambda follower: follower.follow(rows, step))
        if step - self._last_evaluation >= max(self._every, step // RUN_PARTS):
            self._last_evaluation = step
            self.evaluate(step)

    def evaluate(self, step: int) -> tuple[Diagnosis, ...]:
        """Ask every detector now, and alert the followers to what has changed."""
        diagnoses = diagnose(self.recorder.record(), self.detectors)
        now = frozenset(d.condition for d in diagnoses if d.status == "present")
        for diagnosis in diagnoses:
            if diagnosis.condition in now ^ self.present:
                self.notify(lambda follower, d=diagnosis: follower.alert(d, step))  # type: ignore[misc]
        self.present = now
        return diagnoses

    def notify(self, call: Callable[[Follower], None]) -> None:
        """Call every follower, and drop those that fail."""
        for follower in tuple(self.followers):
            try:
                call(follower)
            except Exception as error:  # see the class docstring
                self.followers.remove(follower)
                warnings.warn(
                    f"{type(follower).__name__} no longer follows: {type(error).__name__}: {error}",
                    RuntimeWarning,
                    stacklevel=3,
                )
