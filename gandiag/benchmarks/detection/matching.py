"""Matching: compares the answers of detectors and baseline rules on one run with its labels.

Nothing is trained. Detectors are evaluated on the record as it was at each step.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gandiag.benchmarks.detection.baselines import BASELINES, Trace, find_alarms
from gandiag.benchmarks.detection.runs import ORACLE_FILE, Run, run_folder
from gandiag.benchmarks.oracle.labels import ABSENT, CONDITIONS, GREY, Label, label_run
from gandiag.benchmarks.oracle.oracle import read_rows
from gandiag.diagnosis.diagnosis import diagnose
from gandiag.plugins import registry as plugins
from gandiag.plugins.protocols import Detector
from gandiag.records.record import Record

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

GANDIAG = "gandiag"  # Name of the detectors in `Outcome.method`; others are baseline rules.
EVALUATION_INTERVAL = 100  # Generator steps between two evaluations of the detectors.
# Generator steps before the onset from which an alarm counts as right, and after the end of a
# condition until which it does: twice the interval of the evaluations.
TOLERANCE = 200
# Detectors use the last 500 steps of a record, so signs of the condition within them excuse an
# alarm.
LOOKBACK = 500
# Loss of a discriminator that cannot separate real from generated samples, by objective; see the
# losses of `gandiag.models.losses`. At chance the logistic losses are log 2 + log 2, the hinge loss
# is 1 + 1, and the least-squares loss is (0.5^2 + 0.5^2) / 2.
CHANCE_LOSS = {
    "non_saturating": 2 * math.log(2),
    "saturating": 2 * math.log(2),
    "hinge": 2.0,
    "least_squares": 0.25,
}


@dataclass(frozen=True)
class Outcome:
    """What one method answered for one condition on one run, compared with the label.

    Attributes:
        method: `GANDIAG`, or the name of a baseline rule.
        case: name of the case of the run.
        family: family of the case.
        part: part of the benchmark to which the case belongs.
        seed: seed of the run.
        condition: the condition.
        truth: label of the run, `PRESENT`, `ABSENT` or `GREY`.
        found: whether the condition was reported while it was present, within `TOLERANCE`.
        delay: generator steps from the first onset to the first such answer, 0 for an early one;
            None if the condition was not found.
        false: number of false alarms.
        kind: last failure type that was reported while the condition was present; None if it was
            not found.
        kinds: failure types that were right at that step.
        last: answer at the end of the run.
        exposed: generator steps of the run at which an alarm would have been false.
        onset: first step at which the condition was present; None if it never was.
        alarm: first step at which the condition was reported; None if it never was.
        at_end: label at the last measurement.
    """

    method: str
    case: str
    family: str
    part: str
    seed: int
    condition: str
    truth: int
    found: bool
    delay: int | None
    false: int
    kind: str | None
    kinds: frozenset[str]
    last: str
    exposed: int
    onset: int | None
    alarm: int | None
    at_end: int

    @property
    def is_false_alarm(self) -> bool:
        """Whether the condition was reported without any sign of it; grey runs do not count."""
        return self.truth != GREY and self.false > 0

    @property
    def is_kind_right(self) -> bool | None:
        """Whether the failure type is right; None if there is nothing to compare."""
        if not self.found or self.kind is None or not self.kinds:
            return None
        return self.kind in self.kinds


def evaluate_run(
    run: Run, root: Path, detectors: Sequence[Detector] | None = None
) -> list[Outcome]:
    """Evaluate detectors and baseline rules on a finished run.

    Args:
        run: the run.
        root: folder of all runs.
        detectors: the detectors; those of the run's scenario if None.

    Returns:
        An outcome for each detector, then one for each baseline rule.
    """
    folder = run_folder(run, root)
    record = Record.load(folder)
    about, rows = read_rows(folder / ORACLE_FILE)
    labels = label_run(about, rows)
    last = run.case.scenario.training.steps
    steps = np.arange(EVALUATION_INTERVAL, last + 1, EVALUATION_INTERVAL)
    outcomes = []
    for detector in detectors or _build_detectors(run):
        answers = [diagnose(record.until(int(step)), [detector])[0] for step in steps]
        statuses = [answer.status for answer in answers]
        kinds = [answer.kind for answer in answers]
        condition = detector.condition
        outcome = match(GANDIAG, run, condition, labels[condition], steps, statuses, kinds)
        outcomes.append(outcome)
    trace = Trace(record, rows, _count_weights(run, record), _chance_loss(run))
    for baseline in BASELINES:
        has_fired = find_alarms(baseline, trace, steps)
        statuses = ["present" if fired else "absent" for fired in has_fired]
        label = labels[baseline.condition]
        outcomes.append(match(baseline.name, run, baseline.condition, label, steps, statuses))
    return outcomes


def match(
    method: str,
    run: Run,
    condition: str,
    label: Label,
    steps: Ints,
    statuses: Sequence[str],
    kinds: Sequence[str | None] | None = None,
) -> Outcome:
    """Compare the answers of a method with the label of one condition.

    Args:
        method: name of the method.
        run: the run.
        condition: the condition.
        label: its label.
        steps: ``(n,)`` generator steps of the evaluations.
        statuses: answer at each of these steps.
        kinds: failure type at each of these steps; None for a method that reports none.
    """
    on = np.array([status == "present" for status in statuses])
    spans = label.spans
    within = [on & (steps >= b - TOLERANCE) & (steps <= e + TOLERANCE) for b, e in spans]
    first = next((i for i, hits in enumerate(within) if hits.any()), None)
    delay, kind, right = None, None, frozenset[str]()
    if first is not None:
        begin, end = spans[first]
        # The delay starts at the onset of the first span, also if that span was missed.
        delay = max(int(steps[within[first]][0]) - spans[0][0], 0)
        hits = np.flatnonzero(within[first] & (steps >= begin) & (steps <= end))
        if len(hits) and kinds is not None:
            kind, right = kinds[hits[-1]], label.kinds_at(int(steps[hits[-1]]))
    is_excused = _find_excused(label, steps)
    is_false = on & ~is_excused
    # Consecutive false answers are one alarm.
    starts = is_false & ~np.concatenate([[False], is_false[:-1]])
    return Outcome(
        method=method,
        case=run.case.name,
        family=run.case.family,
        part=run.case.part,
        seed=run.seed,
        condition=condition,
        truth=label.verdict,
        found=first is not None,
        delay=delay,
        false=int(starts.sum()),
        kind=kind,
        kinds=right,
        last=statuses[-1],
        exposed=int((~is_excused).sum()) * EVALUATION_INTERVAL,
        onset=spans[0][0] if spans else None,
        alarm=int(steps[on][0]) if on.any() else None,
        at_end=int(label.state[-1]),
    )


def diagnose_without_signals(
    run: Run, root: Path, names: Sequence[str]
) -> dict[str, dict[str, str]]:
    """Diagnose a finished run at its end, each time without one signal.

    Args:
        run: the run.
        root: folder of all runs.
        names: signals to remove, one at a time.

    Returns:
        The answer for each condition, by the name of the removed signal; the key ``""`` stands for
        the whole record.
    """
    record = Record.load(run_folder(run, root))
    found: dict[str, dict[str, str]] = {}
    for name in ("", *names):
        kept = {key: signal for key, signal in record.signals.items() if key != name}
        reduced = Record(kept, record.facts, record.environment, record.folder)
        found[name] = {d.condition: d.status for d in diagnose(reduced, _build_detectors(run))}
    return found


def _build_detectors(run: Run) -> list[Detector]:
    chosen = run.case.scenario.detection.detectors
    built = [plugins.build("detectors", choice.name, choice.options) for choice in chosen]
    # The oracle labels these three conditions only.
    return [detector for detector in built if detector.condition in CONDITIONS]


def _find_excused(label: Label, steps: Ints) -> Bools:
    """Return at which steps an alarm is excused: present or grey shortly before, then or soon."""
    signs = label.steps[label.state != ABSENT]
    return np.array(
        [bool(((signs >= step - LOOKBACK) & (signs <= step + TOLERANCE)).any()) for step in steps]
    )


def _count_weights(run: Run, record: Record) -> Mapping[str, int]:
    """Return the number of entries of each weight tensor of the generator, by its name."""
    variant = run.case.scenario.variant
    gan = plugins.build("variants", variant.name, variant.options).build(
        tuple(record.facts["shape"])
    )
    # The record has a norm for each tensor of two or more dimensions; biases have none.
    return {name: p.numel() for name, p in gan.generator.named_parameters() if p.ndim > 1}


def _chance_loss(run: Run) -> float:
    """Return the discriminator's loss at chance; NaN for a critic, whose loss has no such value."""
    objective = str(run.case.scenario.variant.options.get("objective", "non_saturating"))
    return CHANCE_LOSS.get(objective, math.nan)
