"""Out of range: the generator generates values that the data do not contain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from gandiag.diagnosis.diagnosis import Diagnosis, compare_median
from gandiag.diagnosis.statistics import find_onset, persistent_state
from gandiag.records.record import Record

SIGNAL = "outside/share/generator"


@dataclass(frozen=True)
class OutOfRange:
    """The generated samples leave the range of the data and stay outside."""

    # Largest share of entries outside the data's range that is accepted, in [0, 1].
    share: float = 0.2
    # Number of evaluations before the detector answers.
    evaluations: int = 4

    condition: ClassVar[str] = "out_of_range"
    needs: ClassVar[frozenset[str]] = frozenset({SIGNAL})

    def detect(self, record: Record) -> Diagnosis:
        """Evaluate the share of entries outside the data's range."""
        steps, values = record[SIGNAL]
        if len(steps) < self.evaluations:
            return Diagnosis(self.condition, "inconclusive", "There are too few evaluations.")
        is_outside = values > self.share
        onset = find_onset(persistent_state(is_outside, ~is_outside), is_outside)
        evidence = compare_median(
            SIGNAL, values, ">", self.share, "share of entries outside the data's range"
        )
        if onset is None:
            text = "The generated samples lie in the range of the data."
            return Diagnosis(self.condition, "absent", text, evidence=(evidence,))
        return Diagnosis(
            self.condition,
            "present",
            f"{evidence.observed:.0%} of the samples' entries lie outside the data's range.",
            kind="overshoot",
            onset=int(steps[onset]),
            evidence=(evidence,),
        )
