"""Out of range: the generator makes what lies beyond all data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from gandiag.diagnosis.diagnosis import Diagnosis, evidence_for
from gandiag.diagnosis.statistics import onset_of, persistent
from gandiag.records.record import Record

__all__ = ["OutOfRange"]

SIGNAL = "outside/share/generator"


@dataclass(frozen=True)
class OutOfRange:
    """The samples leave the range of the data and stay outside."""

    share: float = 0.2  # of the samples' entries, above
    looks: int = 4  # before there is an answer

    condition: ClassVar[str] = "out_of_range"
    needs: ClassVar[frozenset[str]] = frozenset({SIGNAL})

    def detect(self, record: Record) -> Diagnosis:
        """Judge the share of entries that lie outside."""
        steps, values = record[SIGNAL]
        if len(steps) < self.looks:
            return Diagnosis(self.condition, "inconclusive", "Too few looks at the samples.")
        beyond = values > self.share
        onset = onset_of(persistent(beyond, ~beyond), beyond)
        seen = evidence_for(
            SIGNAL, values, ">", self.share, "share of entries outside the data's range"
        )
        if onset is None:
            text = "The samples lie in the range of the data."
            return Diagnosis(self.condition, "absent", text, evidence=(seen,))
        return Diagnosis(
            self.condition,
            "present",
            f"{seen.observed:.0%} of the samples' entries lie outside the data's range.",
            kind="overshoot",
            onset=int(steps[onset]),
            evidence=(seen,),
        )
