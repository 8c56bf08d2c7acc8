"""Diagnoses: the answer of a detector whether one failure is present, with its evidence.

`diagnose` runs every detector on a record. It answers itself for a detector whose signals were not
recorded, so that detectors need no code for missing signals.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from gandiag.diagnosis.statistics import recent_median
from gandiag.monitoring.signals import signal_info
from gandiag.records.facts import NOT_MEASURED, STOPPED
from gandiag.records.record import Record
from gandiag.records.storage import decode_number, encode_number

if TYPE_CHECKING:
    from gandiag.plugins.protocols import Detector


Status = Literal["present", "absent", "inconclusive"]
About = Literal["training", "loop"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """One observed number and its threshold.

    Attributes:
        signal: name of the signal from which the number was computed, ``probe/quantity/network``.
        observed: the number, usually the median of the signal's newest values; NaN if unknown.
        relation: the side of `threshold` on which `observed` indicates the failure, "<" or ">".
        threshold: the limit, in the unit of `observed`.
        holds: whether `observed` lies on the side that indicates the failure.
        meaning: name of the number for a reader. The default is the signal's label in the registry
            `gandiag.monitoring.signals`, or the signal's name where the registry lacks it.
    """

    signal: str
    observed: float
    relation: Literal["<", ">"]
    threshold: float
    holds: bool
    meaning: str = ""

    def __post_init__(self) -> None:
        if not self.meaning:
            info = signal_info(self.signal)
            # A frozen dataclass has no other way to set a default that depends on a field.
            object.__setattr__(self, "meaning", info.label if info else self.signal)

    def as_json(self) -> dict[str, Any]:
        """Return plain data; non-finite numbers become strings such as "NaN"."""
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
    """A detector's answer whether one failure is present.

    Attributes:
        condition: name of the failure, such as ``mode_collapse``.
        status: ``present``, ``absent``, or ``inconclusive`` where the record is not sufficient.
        summary: one or more sentences for a reader.
        kind: failure type (``total``, ``oscillation``, ...); None unless present.
        onset: generator step at which the failure began; None unless present.
        cause: name of the most probable cause; None where unknown or not present.
        severity: size of the effect in [0, 1]; None unless present.
        evidence: every number that the detector compared with a threshold, on either side of it.
        about: ``training`` for a failure of the training, ``loop`` for a bug of the user's
            training loop.
    """

    condition: str
    status: Status
    summary: str
    kind: str | None = None
    onset: int | None = None
    cause: str | None = None
    severity: float | None = None
    evidence: tuple[Evidence, ...] = ()
    about: About = "training"

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
        """Build a diagnosis from the output of `as_json`, also from that of earlier versions."""
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
        # Earlier versions used another word than "training".
        about = "loop" if data.get("about") == "loop" else "training"
        return cls(**{**data, "evidence": evidence, "about": about})


def humanize(condition: str) -> str:
    """Format a condition's name for use in a sentence.

    >>> humanize("mode_collapse"), humanize("non_convergence")
    ('mode collapse', 'non-convergence')
    """
    return condition.replace("_", "-" if condition.startswith("non_") else " ")


def format_short(value: float) -> str:
    """Format a number for use in a sentence, with two significant digits.

    >>> format_short(0.1934), format_short(1630.4), format_short(3e-9), format_short(0.0)
    ('0.19', '1600', 'practically zero', '0')
    """
    if 0 < abs(value) < 1e-6:
        return "practically zero"
    return f"{float(f'{value:.2g}'):g}"


def compare_median(
    signal: str,
    values: NDArray[np.float64],
    relation: Literal["<", ">"],
    threshold: float,
    meaning: str = "",
    evaluations: int = 5,
) -> Evidence:
    """Compare the median of a signal's newest values with a threshold.

    Args:
        signal: name of the signal.
        values: ``(n,)`` its values, or numbers derived from them.
        relation: the side of `threshold` that indicates the failure.
        threshold: in the unit of `values`.
        meaning: name of the number for a reader; by default the signal's label in the registry.
        evaluations: number of newest values in the median.
    """
    observed = recent_median(values, evaluations)
    holds = observed < threshold if relation == "<" else observed > threshold
    return Evidence(signal, observed, relation, threshold, holds, meaning)


def diagnose(record: Record, detectors: Iterable[Detector]) -> tuple[Diagnosis, ...]:
    """Run every detector on a record, in order.

    A detector whose signals are missing is not run; its diagnosis is ``inconclusive`` and names
    the missing signals. The diagnosis of a detector that raises is ``inconclusive`` too. Where the
    record states what could not be measured, the summaries of the diagnoses concerned repeat it.
    """
    limits = record.facts.get(NOT_MEASURED, {})
    return tuple(_add_limits(_detect(each, record), each, limits) for each in detectors)


def report_missing_signals(
    condition: str, missing: Iterable[str], about: About = "training"
) -> Diagnosis:
    """Build the inconclusive diagnosis that names missing signals and the probes that record them.

    >>> report_missing_signals("mode_collapse", ["loss/value/generator"]).summary
    'Not recorded: loss/value/generator. The probe loss of gandiag.attach records it.'
    """
    missing = sorted(missing)
    probes = list(dict.fromkeys(name.split("/")[0] for name in missing))
    source = f"probe{'s' if len(probes) > 1 else ''} {' and '.join(probes)} of gandiag.attach"
    verb = "record" if len(probes) > 1 else "records"
    text = f"Not recorded: {', '.join(missing)}. The {source} {verb} "
    text += "them." if len(missing) > 1 else "it."
    return Diagnosis(condition, "inconclusive", text, about=about)


def _detect(detector: Detector, record: Record) -> Diagnosis:
    missing = sorted(detector.needs - record.signals.keys())
    # Detectors written before lints existed have no `about`.
    about: About = getattr(detector, "about", "training")
    if missing:
        return report_missing_signals(detector.condition, missing, about)
    try:
        return detector.detect(record)
    except Exception as error:  # third-party detectors may raise anything
        text = f"The detector raised {type(error).__name__}: {error}"
        return Diagnosis(detector.condition, "inconclusive", text, about=about)


def _add_limits(
    diagnosis: Diagnosis, detector: Detector, limits: Mapping[str, Mapping[str, Any]]
) -> Diagnosis:
    """Add to a summary what could not be measured, where the diagnosis depends on it.

    The end of the monitoring concerns every diagnosis; other limits concern the inconclusive
    diagnoses that need a probe of theirs.
    """
    needed = {name.split("/")[0] for name in detector.needs}

    def is_concerned(name: str, probes: Iterable[str]) -> bool:
        if name == STOPPED:
            return True
        is_used = not needed or not probes or not needed.isdisjoint(probes)
        return diagnosis.status == "inconclusive" and is_used

    texts = [limit["text"] for name, limit in limits.items() if is_concerned(name, limit["probes"])]
    return replace(diagnosis, summary=" ".join([diagnosis.summary, *texts])) if texts else diagnosis
