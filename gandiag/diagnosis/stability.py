"""How sure an answer is, and what would settle it: facts about a diagnosis, not a probability.

An answer is asked again at steps along the record; detectors are pure functions of a record's
prefix, so these are the answers that were, or would have been, given while the game was played.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

import numpy as np

from gandiag.diagnosis.diagnosis import Diagnosis, Evidence, Status, diagnose
from gandiag.records.record import Record

if TYPE_CHECKING:
    from gandiag.plugins.protocols import Detector


EVALUATIONS = 12  # steps at which a finished run is asked again: about a second for 10,000 of them
CLOSE_FACTOR = 1.5  # an observed number within this factor of its threshold is close to it

StabilityLevel: TypeAlias = Literal["steady", "recent", "open"]


class Evaluation(NamedTuple):
    """What was answered about each condition at one step."""

    step: int
    statuses: Mapping[str, Status]


class Stability(NamedTuple):
    """How sure an answer is.

    Attributes:
        standing: ``steady`` where the last half of the times it was asked gave this same answer,
            ``recent`` where it changed in between, ``open`` for an inconclusive one.
        reasons: what speaks for trusting it, and what against, a sentence each.
        settle: what would settle it, a sentence each.
    """

    level: StabilityLevel
    reasons: tuple[str, ...]
    next_steps: tuple[str, ...]


def evaluate_history(
    record: Record, detectors: Sequence[Detector], looks: int = EVALUATIONS
) -> tuple[Evaluation, ...]:
    """The answers at steps spread evenly over a record, its last one included."""
    steps = np.unique(np.linspace(0, record.last_step, looks + 1).astype(int)[1:])
    asked = []
    for step in steps.tolist() if record.signals else ():
        answers = diagnose(record.until(step), detectors)
        asked.append(Evaluation(step, {answer.condition: answer.status for answer in answers}))
    return tuple(asked)


def stability_of(
    diagnosis: Diagnosis,
    record: Record,
    history: Sequence[Evaluation],
    detector: Detector | None = None,
) -> Stability:
    """What speaks for and against trusting an answer, and what would settle it."""
    answers = [asked.statuses.get(diagnosis.condition) for asked in history]
    reasons = (_stability(diagnosis, history, answers), *_margins(diagnosis))
    missing = sorted(detector.needs - record.signals.keys()) if detector is not None else []
    return Stability(
        _standing(diagnosis, answers),
        tuple(reason for reason in reasons if reason),
        tuple(_settle(diagnosis, record, missing)),
    )


def _standing(diagnosis: Diagnosis, answers: Sequence[Status | None]) -> StabilityLevel:
    if diagnosis.status == "inconclusive":
        return "open"
    late = answers[len(answers) // 2 :]
    steady = bool(late) and all(answer == diagnosis.status for answer in late)
    return "steady" if steady else "recent"


def _stability(
    diagnosis: Diagnosis, history: Sequence[Evaluation], answers: Sequence[Status | None]
) -> str:
    """Since when the answer has been the one that is given at the end."""
    if not history:
        return ""
    same = next(
        (i for i in range(len(answers), 0, -1) if answers[i - 1] != diagnosis.status), 0
    )  # how many answers came before the last unbroken stretch
    if same == len(answers):
        return ""
    since, count = history[same].step, len(history)
    if same == 0:
        return f"Asked at {count} steps along the run, it was the same answer each time."
    return (
        f"Asked at {count} steps along the run, it has been the same answer since step {since}, "
        f"{count - same} times in a row."
    )


def _margins(diagnosis: Diagnosis) -> tuple[str, ...]:
    """The number that speaks most clearly, and one that is close to its threshold."""
    far = [(_factor(item), item) for item in diagnosis.evidence if math.isfinite(_factor(item))]
    told: list[str] = []
    holding = [pair for pair in far if pair[1].holds]
    if diagnosis.status == "present" and holding:
        factor, item = max(holding, key=lambda pair: pair[0])
        told.append(f"The clearest sign is {_beside(item)}{_times(factor)}.")
    close = [pair for pair in far if pair[0] < CLOSE_FACTOR]
    if close:
        _, item = min(close, key=lambda pair: pair[0])
        told.append(f"Close to its threshold is {_beside(item)}.")
    elif far and diagnosis.status != "inconclusive":
        told.append(f"No number lies within a factor of {CLOSE_FACTOR:g} of its threshold.")
    unseen = [item.meaning for item in diagnosis.evidence if math.isnan(item.observed)]
    if unseen:
        told.append(f"Not known: {', '.join(unseen)}.")
    return tuple(told)


def _settle(diagnosis: Diagnosis, record: Record, missing: Sequence[str]) -> list[str]:
    if missing:
        return [f"Measuring what is missing: {', '.join(missing)}."]
    planned = record.facts.get("steps")
    if diagnosis.status == "inconclusive":
        short = isinstance(planned, int) and record.last_step < 0.95 * planned
        return [
            "Playing on to the end: the run was cut short."
            if short
            else "A longer run: the question is asked again at each look."
        ]
    if diagnosis.status == "absent":
        return [f"It holds for the {record.last_step} steps seen: a longer run, and other seeds."]
    told = ["Another seed: if it comes again, it belongs to these settings and not to one draw."]
    if diagnosis.cause:
        told.append(
            "The first of the changes to try, with the same seed: if it goes, that was its cause."
        )
    else:
        told.append("No cause was found: change one thing at a time, with the same seed.")
    return told


def _factor(item: Evidence) -> float:
    """By which factor observed and threshold differ, at least 1; NaN where there is no ratio."""
    observed, threshold = item.observed, item.threshold
    if not (math.isfinite(observed) and math.isfinite(threshold)) or threshold <= 0:
        return math.nan
    if observed <= 0:
        return 1e9 if item.relation == "<" or not item.holds else math.nan
    return max(observed / threshold, threshold / observed)


def _beside(item: Evidence) -> str:
    side = "below" if item.relation == "<" else "above"
    what = item.meaning if item.meaning.startswith(("D's ", "G's ")) else f"the {item.meaning}"
    return f"{what}, {item.observed:.3g}, which speaks for it {side} {item.threshold:.3g}"


def _times(factor: float) -> str:
    return f" (a factor of {factor:.2g})" if factor < 1e6 else ""
