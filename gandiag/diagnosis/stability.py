"""Stability of a diagnosis: how long it has been the same, and how far from its thresholds.

The level is a fact about the record, not a probability. It comes from the diagnoses at steps along
the record. Detectors are pure functions of the beginning of a record, so these diagnoses are the
ones that the monitor gave, or would have given, during training.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

import numpy as np

from gandiag.diagnosis.diagnosis import Diagnosis, Evidence, Status, diagnose, format_short
from gandiag.records.facts import SCORES
from gandiag.records.record import Record

if TYPE_CHECKING:
    from gandiag.plugins.protocols import Detector


# Steps at which a finished run is diagnosed again. For a run of 10,000 steps this takes about a
# second.
EVALUATIONS = 12
# An observed number that differs from its threshold by a smaller factor is called close to it.
CLOSE_FACTOR = 1.5
# From this share of the planned steps on, a run counts as complete: the last flush comes earlier.
COMPLETE = 0.95

StabilityLevel: TypeAlias = Literal["steady", "recent", "open"]


class Evaluation(NamedTuple):
    """The status of each condition at one step."""

    step: int
    statuses: Mapping[str, Status]


class Stability(NamedTuple):
    """How stable a diagnosis is, and how to confirm it.

    Attributes:
        level: ``steady`` where the status was the same in the last half of the evaluations,
            ``recent`` where it changed in that half, ``open`` for an inconclusive diagnosis.
        reasons: facts for and against the diagnosis, one sentence each.
        next_steps: what the user can do to confirm or refute it, one sentence each.
    """

    level: StabilityLevel
    reasons: tuple[str, ...]
    next_steps: tuple[str, ...]


def evaluate_history(
    record: Record, detectors: Sequence[Detector], evaluations: int = EVALUATIONS
) -> tuple[Evaluation, ...]:
    """Run the detectors at steps spread evenly over a record; the last step is one of them."""
    steps = np.unique(np.linspace(0, record.last_step, evaluations + 1).astype(int)[1:])
    history = []
    for step in steps.tolist() if record.signals else ():
        diagnoses = diagnose(record.until(step), detectors)
        history.append(Evaluation(step, {d.condition: d.status for d in diagnoses}))
    return tuple(history)


def assess_stability(
    diagnosis: Diagnosis,
    record: Record,
    history: Sequence[Evaluation],
    detector: Detector | None = None,
) -> Stability:
    """Assess how stable a diagnosis is.

    Args:
        diagnosis: made at the end of the record.
        record: the run.
        history: the evaluations along the run, from `evaluate_history`.
        detector: the detector of the diagnosis; without it, missing signals are not named.
    """
    statuses = [evaluation.statuses.get(diagnosis.condition) for evaluation in history]
    reasons = (_describe_history(diagnosis, history, statuses), *_describe_margins(diagnosis))
    missing = sorted(detector.needs - record.signals.keys()) if detector is not None else []
    return Stability(
        _find_level(diagnosis, statuses),
        tuple(reason for reason in reasons if reason),
        tuple(_suggest_next_steps(diagnosis, record, missing)),
    )


def _find_level(diagnosis: Diagnosis, statuses: Sequence[Status | None]) -> StabilityLevel:
    if diagnosis.status == "inconclusive":
        return "open"
    late = statuses[len(statuses) // 2 :]
    is_steady = bool(late) and all(status == diagnosis.status for status in late)
    return "steady" if is_steady else "recent"


def _describe_history(
    diagnosis: Diagnosis, history: Sequence[Evaluation], statuses: Sequence[Status | None]
) -> str:
    """A sentence on the step since which the status has been the same; empty if unknown."""
    # Evaluations before the last unbroken series of the final status.
    earlier = next(
        (i for i in range(len(statuses), 0, -1) if statuses[i - 1] != diagnosis.status), 0
    )
    if earlier == len(history):
        return ""
    count = len(history)
    if earlier == 0:
        return f"At all {count} evaluations of the run the result was the same."
    return (
        f"The result has been the same since step {history[earlier].step}, at the last "
        f"{count - earlier} of {count} evaluations."
    )


def _describe_margins(diagnosis: Diagnosis) -> tuple[str, ...]:
    """Sentences on the strongest evidence, on numbers near a threshold, and on unknown numbers."""
    margins = [(_margin(item), item) for item in diagnosis.evidence if math.isfinite(_margin(item))]
    holding = [pair for pair in margins if pair[1].holds]
    sentences: list[str] = []
    if diagnosis.status == "present" and holding:
        factor, item = max(holding, key=lambda pair: pair[0])
        sentences.append(
            f"The strongest evidence: {_describe_evidence(item)}{_describe_factor(factor)}."
        )
    close = [pair for pair in margins if pair[0] < CLOSE_FACTOR]
    if close:
        _, item = min(close, key=lambda pair: pair[0])
        sentences.append(f"Close to its threshold: {_describe_evidence(item)}.")
    elif margins and diagnosis.status != "inconclusive":
        sentences.append(
            f"Every number differs from its threshold by a factor of {CLOSE_FACTOR:g} or more."
        )
    unknown = [item.meaning for item in diagnosis.evidence if math.isnan(item.observed)]
    if unknown:
        sentences.append(f"Unknown: {', '.join(unknown)}.")
    return tuple(sentences)


def _suggest_next_steps(diagnosis: Diagnosis, record: Record, missing: Sequence[str]) -> list[str]:
    if missing and SCORES in record.facts:
        return ["The summary names what was not measured in this loop, and why."]
    if missing:
        return [f"Record the missing signals: {', '.join(missing)}."]
    if diagnosis.status == "inconclusive":
        planned = record.facts.get("steps")
        if isinstance(planned, int) and record.last_step < COMPLETE * planned:
            return ["Train to the planned end: the run was cut short."]
        return ["Train for more steps: the failure is evaluated again at each measurement."]
    if diagnosis.status == "absent":
        return [
            f"The result holds for the {record.last_step} steps of this run: train for more steps, "
            "and with other seeds."
        ]
    again = (
        "Train with another seed: if the failure occurs again, the settings cause it and not the "
        "random numbers of one run."
    )
    if diagnosis.cause:
        return [
            again,
            "Try the first suggested fix with the same seed: if the failure disappears, the cause "
            "is confirmed.",
        ]
    return [again, "No cause was found: change one setting at a time, with the same seed."]


def _margin(item: Evidence) -> float:
    """Factor, at least 1, between observed number and threshold; NaN where there is no ratio."""
    observed, threshold = item.observed, item.threshold
    if not (math.isfinite(observed) and math.isfinite(threshold)) or threshold <= 0:
        return math.nan
    if observed <= 0:
        # Zero is far below any threshold. A number at or below 0 cannot exceed an upper limit.
        return 1e9 if item.relation == "<" or not item.holds else math.nan
    return max(observed / threshold, threshold / observed)


def _describe_evidence(item: Evidence) -> str:
    side = "below" if item.relation == "<" else "above"
    return f"{item.meaning} {format_short(item.observed)} (threshold: {side} {item.threshold:.3g})"


def _describe_factor(factor: float) -> str:
    return ", more than a factor of 100" if factor > 100 else f", a factor of {factor:.2g}"
