"""Noun 4: a diagnosis, the answer to the question whether one condition is there.

`diagnose` asks every detector and answers for those whose signals are missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from gandiag.diagnosis.statistics import recent_median
from gandiag.records.record import Record
from gandiag.records.storage import decode_number, encode_number

if TYPE_CHECKING:
    from gandiag.plugins.protocols import Detector


Status = Literal["present", "absent", "inconclusive"]
About = Literal["game", "loop"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """One observed number beside its threshold.

    Attributes:
        signal: which signal was read, ``probe/what/player``.
        observed: what was seen, usually the median over the judged probes; NaN if unknown.
        relation: how `observed` must stand to `threshold` for the evidence to speak for the
            condition, "<" or ">".
        threshold: the gate.
        holds: whether it speaks for the condition.
        meaning: what the number says, in words.
    """

    signal: str
    observed: float
    relation: Literal["<", ">"]
    threshold: float
    holds: bool
    meaning: str

    def as_json(self) -> dict[str, Any]:
        """Return plain data; non-finite numbers become strings, as in the record."""
        return {
            "signal": self.signal,
            "observed": encode_number(self.observed),
            "relation": self.relation,
            "threshold": encode_number(self.threshold),
            "holds": self.holds,
            "meaning": self.meaning,
        }


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A detector's answer about one condition.

    Attributes:
        condition: the failure's name.
        status: present, absent, or inconclusive where the record cannot tell.
        summary: one or two sentences for a reader.
        kind: sub-type (``total``, ``oscillation``, ...), None unless present.
        onset: generator step since which it has been there, None unless present.
        cause: why, as far as the record shows it; None where unknown or not present.
        severity: size of the effect in [0, 1], None unless present.
        evidence: every number that was weighed, whichever way it fell.
        about: ``game`` for a failure of the training, ``loop`` for a fault of the code around it.
    """

    condition: str
    status: Status
    summary: str
    kind: str | None = None
    onset: int | None = None
    cause: str | None = None
    severity: float | None = None
    evidence: tuple[Evidence, ...] = ()
    about: About = "game"

    def as_json(self) -> dict[str, Any]:
        """Return plain data for `diagnoses.json` and ``--json``."""
        return {
            "condition": self.condition,
            "status": self.status,
            "kind": self.kind,
            "onset": self.onset,
            "severity": self.severity,
            "evidence": [item.as_json() for item in self.evidence],
            "summary": self.summary,
            "cause": self.cause,
            "about": self.about,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Diagnosis:
        """Read back what `as_json` wrote."""
        evidence = tuple(
            Evidence(
                **{
                    **item,
                    "observed": decode_number(item["observed"]),
                    "threshold": decode_number(item["threshold"]),
                }
            )
            for item in data["evidence"]
        )
        return cls(**{**data, "evidence": evidence})


def humanize(condition: str) -> str:
    """A condition's name as it stands in a sentence.

    >>> humanize("mode_collapse"), humanize("non_convergence")
    ('mode collapse', 'non-convergence')
    """
    return condition.replace("_", "-" if condition.startswith("non_") else " ")


def compare_median(
    signal: str,
    values: NDArray[np.float64],
    relation: Literal["<", ">"],
    threshold: float,
    meaning: str,
    looks: int = 5,
) -> Evidence:
    """Set the median of a signal's newest looks beside its threshold."""
    observed = recent_median(values, looks)
    holds = observed < threshold if relation == "<" else observed > threshold
    return Evidence(signal, observed, relation, threshold, holds, meaning)


def diagnose(record: Record, detectors: Iterable[Detector]) -> tuple[Diagnosis, ...]:
    """Ask every detector, in order; one whose signals are missing is answered for."""
    return tuple(_detect(detector, record) for detector in detectors)


def report_missing_signals(condition: str, missing: Iterable[str], about: About = "game") -> Diagnosis:
    """The answer where signals are missing: it names them, and what would measure them.

    >>> not_recorded("mode_collapse", ["loss/value/generator"]).summary
    'Not recorded: loss/value/generator. The probe loss of gandiag.attach would settle it.'
    """
    missing = sorted(missing)
    probes = list(dict.fromkeys(name.split("/")[0] for name in missing))
    who = f"probe{'s' if len(probes) > 1 else ''} {' and '.join(probes)}"
    text = f"Not recorded: {', '.join(missing)}. The {who} of gandiag.attach would settle it."
    return Diagnosis(condition, "inconclusive", text, about=about)


def _detect(detector: Detector, record: Record) -> Diagnosis:
    missing = sorted(detector.needs - record.signals.keys())
    if missing:
        return report_missing_signals(detector.condition, missing, getattr(detector, "about", "game"))
    return detector.detect(record)
