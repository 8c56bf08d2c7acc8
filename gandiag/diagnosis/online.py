"""The monitor: diagnoses a training run while it goes on, and informs the followers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gandiag.diagnosis.diagnosis import Diagnosis, diagnose
from gandiag.plugins.errors import warn_user
from gandiag.plugins.protocols import Detector, Follower
from gandiag.records.record import Row
from gandiag.records.writer import Recorder

# Between two evaluations at least a fiftieth of the run so far goes by. An evaluation reads the
# whole record, so a fixed cadence would cost time that grows with the square of the run's length.
RUN_PARTS = 50


class Monitor:
    """Runs the detectors at a cadence, with the same function that diagnoses saved records.

    Args:
        recorder: the growing record of the run.
        detectors: the detectors to run.
        every: generator steps between two evaluations. Once a fiftieth of the run so far is longer,
            that many steps are taken instead.
        followers: receive new rows, and each failure that begins or ends. A follower that raises an
            exception is removed with a warning: a lost connection must not end a training run.

    Attributes:
        present: conditions that were present at the newest evaluation.
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
        """Pass new rows to the followers, and run the detectors where an evaluation is due."""
        self.notify(lambda follower: follower.follow(rows, step))
        if step - self._last_evaluation >= max(self._every, step // RUN_PARTS):
            self._last_evaluation = step
            self.evaluate(step)

    def evaluate(self, step: int) -> tuple[Diagnosis, ...]:
        """Run every detector, and alert the followers to failures that began or ended."""
        diagnoses = diagnose(self.recorder.record(), self.detectors)
        present = frozenset(d.condition for d in diagnoses if d.status == "present")
        for diagnosis in diagnoses:
            if diagnosis.condition in present ^ self.present:
                self.notify(lambda follower, d=diagnosis: follower.alert(d, step))  # type: ignore[misc]
        self.present = present
        return diagnoses

    def state(self) -> dict[str, Any]:
        """All that decides the further evaluations, for `load_state`."""
        return {"present": sorted(self.present), "last_evaluation": self._last_evaluation}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on with the evaluations of the monitor that gave this `state`."""
        self.present = frozenset(state["present"])
        self._last_evaluation = state["last_evaluation"]

    def notify(self, call: Callable[[Follower], None]) -> None:
        """Call every follower, and remove those that raise an exception."""
        for follower in tuple(self.followers):
            try:
                call(follower)
            except (Exception, SystemExit) as error:  # any: followers are third-party code
                # Compared by identity: the user's class may define an equality that raises.
                self.followers = [each for each in self.followers if each is not follower]
                warn_user(
                    f"{type(follower).__name__} is removed from the followers of this run: "
                    f"{type(error).__name__}: {error}"
                )
