"""Diagnoses: the answer of a detector whether one failure is present, with its evidence.

`diagnose` runs every detector on a record. It answers itself for a detector whose signals were not
recorded, so that detectors need no code for missing signals.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from gandiag.diagnosis.statistics import recent_median
from gandiag.monitoring.signals import signal_info
from gandiag.plugins.fence import DETECTOR_SECONDS, call_plugin
from gandiag.records.facts import NOT_MEASURED, SCORES, STOPPED
from gandiag.records.record import Record
from gandiag.records.storage import decode_number, encode_number

if TYPE_CHECKING:
    from gandiag.plugins.protocols import Detector


# Bugs that mislead gandiag only: the option ``scores`` of `gandiag.attach` changes no training.
HARMLESS_BUGS = frozenset({"misread_scores"})

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
        cause: name of the most probable cause; None where unknown or not present. A bug of the
            loop that is present, by the name of its lint, is the cause of the failures.
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
    found = tuple(_add_limits(_detect(each, record), each, limits) for each in detectors)
    return _name_bugs_as_causes(found)


def describe_onset(onset: int, first_evaluation: int) -> str:
    """The beginning of a sentence on a failure since a step.

    A failure may be older than the first evaluation that shows it.

    >>> describe_onset(800, 50), describe_onset(50, 50)
    ('Since step 800', 'From the first evaluation (step 50) on,')
    """
    if onset <= first_evaluation:
        return f"From the first evaluation (step {first_evaluation}) on,"
    return f"Since step {onset}"


def report_missing_signals(
    condition: str,
    missing: Iterable[str],
    about: About = "training",
    record: Record | None = None,
) -> Diagnosis:
    """Build the inconclusive diagnosis that names missing signals, and what they need.

    Args:
        condition: name of the failure.
        missing: names of the signals.
        about: what the failure is about.
        record: the run; where gandiag was attached to it, its probes are not recommended again.

    >>> report_missing_signals("mode_collapse", ["loss/value/generator"]).summary
    'Not recorded: loss/value/generator. The probe loss of gandiag.attach records it.'
    """
    missing = sorted(missing)
    probes = list(dict.fromkeys(name.split("/")[0] for name in missing))
    if record is not None and SCORES in record.facts:
        text = f"Not measured: {', '.join(missing)}."
        # Where the record has a reason, `diagnose` adds it.
        if not _find_limits(probes, record.facts.get(NOT_MEASURED, {})):
            text = f"{text} {_describe_probes(probes, record)}"
        return Diagnosis(condition, "inconclusive", text, about=about)
    source = f"probe{'s' if len(probes) > 1 else ''} {' and '.join(probes)} of gandiag.attach"
    verb = "record" if len(probes) > 1 else "records"
    text = f"Not recorded: {', '.join(missing)}. The {source} {verb} "
    text += "them." if len(missing) > 1 else "it."
    return Diagnosis(condition, "inconclusive", text, about=about)


def _find_limits(needed: Collection[str], limits: Mapping[str, Mapping[str, Any]]) -> Sequence[str]:
    """Names of the limits that concern one of these probes; all where no probe is needed."""
    return [
        name
        for name, limit in limits.items()
        if name == STOPPED
        or not needed
        or not limit["probes"]
        or not set(needed).isdisjoint(limit["probes"])
    ]


def _describe_probes(probes: Sequence[str], record: Record) -> str:
    """What the probes of an attached run have measured, where signals of theirs are missing."""
    recorded = {name.split("/")[0] for name in record.signals}
    names = " and ".join(probes)
    several = len(probes) > 1
    if recorded.issuperset(probes):
        verb = "have" if several else "has"
        return (
            f"The probe{'s' if several else ''} {names} {verb} run, but nothing that "
            f"{'they need' if several else 'it needs'} for this was seen in the loop so far."
        )
    silent = [name for name in probes if name not in recorded]
    return f"Nothing was measured by the probe {' and '.join(silent)} so far."


def _name_bugs_as_causes(diagnoses: tuple[Diagnosis, ...]) -> tuple[Diagnosis, ...]:
    """Name the first bug of the loop that is present as the cause of each failure.

    A strong or weak discriminator is often only a consequence of the bug, and disappears with it.
    """
    bugs = [d for d in diagnoses if d.status == "present" and d.about == "loop"]
    bug = next((d.condition for d in bugs if d.condition not in HARMLESS_BUGS), None)
    if bug is None:
        return diagnoses
    text = f"The most probable cause is a bug in the loop, {humanize(bug)}: correct it first."
    return tuple(
        replace(d, cause=bug, summary=f"{d.summary} {text}")
        if d.status == "present" and d.about == "training"
        else d
        for d in diagnoses
    )


def _detect(detector: Detector, record: Record) -> Diagnosis:
    # Detectors written before lints existed have no `about`.
    about: About = "loop" if getattr(detector, "about", "") == "loop" else "training"
    try:
        missing = sorted(set(detector.needs) - record.signals.keys())
        if missing:
            return report_missing_signals(detector.condition, missing, about, record)
        found = call_plugin(detector, lambda: detector.detect(record), Diagnosis, DETECTOR_SECONDS)
        problem = _find_nonsense(found, detector.condition)
    except Exception as error:  # of a detector whose class variables were not checked, too
        problem = str(error)
    if not problem:
        return found
    condition = str(getattr(detector, "condition", type(detector).__name__))
    return Diagnosis(condition, "inconclusive", f"Could not be evaluated: {problem}.", about=about)


def _find_nonsense(found: Diagnosis, condition: str) -> str:
    """What is wrong with a diagnosis that a detector has made; empty if nothing is."""
    for name, kinds in _FIELD_TYPES.items():
        value = getattr(found, name)
        if not isinstance(value, kinds) or isinstance(value, bool):
            return f"the detector returned {name}={value!r:.100}"
    for item in found.evidence:
        numbers = getattr(item, "observed", None), getattr(item, "threshold", None)
        if not isinstance(item, Evidence) or not all(isinstance(n, Real) for n in numbers):
            return f"the detector returned the evidence {item!r:.100}"
    is_known = found.status in get_args(Status) and found.about in get_args(About)
    if found.condition != condition or not is_known:
        return (
            f"the detector returned condition={found.condition:.100}, status={found.status:.100}, "
            f"about={found.about:.100}"
        )
    return ""


_FIELD_TYPES: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("condition", "status", "summary", "about"), (str,)),
    **dict.fromkeys(("kind", "cause"), (str, type(None))),
    "onset": (Integral, type(None)),
    "severity": (Real, type(None)),
    "evidence": (tuple,),
}


def _add_limits(
    diagnosis: Diagnosis, detector: Detector, limits: Mapping[str, Mapping[str, Any]]
) -> Diagnosis:
    """Add to a summary what could not be measured, where the diagnosis depends on it.

    The end of the monitoring concerns every diagnosis; other limits concern the inconclusive
    diagnoses that need a probe of theirs.
    """
    try:
        needed = {name.split("/")[0] for name in detector.needs}
    except Exception:  # the diagnosis says that the detector could not be evaluated
        return diagnosis
    concerned = _find_limits(needed, limits)
    if diagnosis.status != "inconclusive":
        concerned = [name for name in concerned if name == STOPPED]
    texts = [limits[name]["text"] for name in concerned]
    return replace(diagnosis, summary=" ".join([diagnosis.summary, *texts])) if texts else diagnosis
