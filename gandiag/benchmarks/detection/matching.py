"""Sets what detectors and rivals say of one recorded run beside its labels. Nothing is trained."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gandiag.benchmarks.detection.baselines import BASELINES, Trace, alarms
from gandiag.benchmarks.detection.play import ORACLE, Run, folder_of
from gandiag.benchmarks.oracle.labels import ABSENT, CONDITIONS, GREY, Label, label
from gandiag.benchmarks.oracle.oracle import read_rows
from gandiag.diagnosis.diagnosis import diagnose
from gandiag.plugins import registry as plugins
from gandiag.plugins.protocols import Detector
from gandiag.records.record import Record

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

ASKED = 100  # generator steps between two questions
EARLY = 200  # steps before the onset from which an alarm counts as right, and after the end
BACK = 500  # steps that a detector looks back over: what was there then excuses an alarm
OURS = "gandiag"
CHANCE = {"non_saturating": 2 * math.log(2), "saturating": 2 * math.log(2), "hinge": 2.0}


@dataclass(frozen=True)
class Outcome:
    """What a judge said of one condition in one run.

    Attributes:
        judge: `OURS`, or a rival's name.
        case: of the run; `family`, `part` and `seed` are the run's too.
        condition: what was asked for.
        truth: `PRESENT`, `ABSENT` or `GREY`.
        found: whether it was called present while it was, or a little early or late.
        delay: generator steps from the first onset to the first such answer, 0 for an early one.
        false: how many alarms had nothing to speak for them.
        kind: what it was called at last while it was present; None where it was not found.
        kinds: what it may rightly be called then.
        last: the answer at the end of the run.
        exposed: generator steps of the run at which an alarm would have been false.
        onset: of the label, None where not present.
        alarm: first step at which the answer was present, None where it never was.
        at_end: truth at the last look.
    """

    judge: str
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
    def wrong(self) -> bool:
        """Whether it is a false alarm: called so without any sign of it."""
        return self.truth != GREY and self.false > 0

    @property
    def right_kind(self) -> bool | None:
        """Whether the kind is right; None where there is none to compare."""
        if not self.found or self.kind is None or not self.kinds:
            return None
        return self.kind in self.kinds


def evaluate(run: Run, root: Path, detectors: Sequence[Detector] | None = None) -> list[Outcome]:
    """Every outcome of one finished run: the detectors' and the rivals'."""
    folder = folder_of(run, root)
    record = Record.load(folder)
    about, rows = read_rows(folder / ORACLE)
    labels = label(about, rows)
    asked = np.arange(ASKED, run.case.scenario.training.steps + 1, ASKED)
    outcomes = []
    for detector in detectors or _detectors(run):
        answers = [diagnose(record.until(int(step)), [detector])[0] for step in asked]
        statuses = [answer.status for answer in answers]
        kinds = [answer.kind for answer in answers]
        truth = labels[detector.condition]
        outcomes.append(compare(OURS, run, detector.condition, truth, asked, statuses, kinds))
    trace = Trace(record, rows, _sizes(run, record), _chance(run))
    for rival in BASELINES:
        on = alarms(rival, trace, asked)
        statuses = ["present" if fired else "absent" for fired in on]
        truth = labels[rival.condition]
        outcomes.append(compare(rival.name, run, rival.condition, truth, asked, statuses))
    return outcomes


def compare(
    judge: str,
    run: Run,
    condition: str,
    truth: Label,
    asked: Ints,
    statuses: Sequence[str],
    kinds: Sequence[str | None] | None = None,
) -> Outcome:
    """Set answers at the steps asked beside one condition's label."""
    on = np.array([status == "present" for status in statuses])
    spans = truth.spans
    within = [on & (asked >= b - EARLY) & (asked <= e + EARLY) for b, e in spans]
    first = next((i for i, hits in enumerate(within) if hits.any()), None)
    delay, kind, right = None, None, frozenset[str]()
    if first is not None:
        begin, end = spans[first]
        delay = max(int(asked[within[first]][0]) - spans[0][0], 0)  # a missed span counts too
        hits = np.flatnonzero(within[first] & (asked >= begin) & (asked <= end))
        if len(hits) and kinds is not None:
            kind, right = kinds[hits[-1]], truth.at(int(asked[hits[-1]]))
    excused = _excused(truth, asked)
    false = on & ~excused
    edges = false & ~np.concatenate([[False], false[:-1]])
    return Outcome(
        judge=judge,
        case=run.case.name,
        family=run.case.family,
        part=run.case.part,
        seed=run.seed,
        condition=condition,
        truth=truth.verdict,
        found=first is not None,
        delay=delay,
        false=int(edges.sum()),
        kind=kind,
        kinds=right,
        last=statuses[-1],
        exposed=int((~excused).sum()) * ASKED,
        onset=spans[0][0] if spans else None,
        alarm=int(asked[on][0]) if on.any() else None,
        at_end=int(truth.state[-1]),
    )


def without_signals(run: Run, root: Path, names: Sequence[str]) -> dict[str, dict[str, str]]:
    """The last answer to each condition, by the signal that was taken out of the record.

    The key ``""`` is the whole record.
    """
    record = Record.load(folder_of(run, root))
    found: dict[str, dict[str, str]] = {}
    for name in ("", *names):
        kept = {key: signal for key, signal in record.signals.items() if key != name}
        cut = Record(kept, record.facts, record.environment, record.folder)
        found[name] = {d.condition: d.status for d in diagnose(cut, _detectors(run))}
    return found


def _detectors(run: Run) -> list[Detector]:
    chosen = run.case.scenario.detection.detectors
    built = [plugins.build("detectors", choice.name, choice.options) for choice in chosen]
    return [detector for detector in built if detector.condition in CONDITIONS]


def _excused(truth: Label, asked: Ints) -> Bools:
    """Steps at which something spoke for the condition, now or a while ago or soon."""
    something = truth.steps[truth.state != ABSENT]
    return np.array(
        [bool(((something >= t - BACK) & (something <= t + EARLY)).any()) for t in asked]
    )


def _sizes(run: Run, record: Record) -> Mapping[str, int]:
    """Entries of each weight tensor of the generator."""
    variant = run.case.scenario.variant
    gan = plugins.build("variants", variant.name, variant.options).build(
        tuple(record.facts["shape"])
    )
    return {name: p.numel() for name, p in gan.generator.named_parameters() if p.ndim > 1}


def _chance(run: Run) -> float:
    """The discriminator's loss where it cannot tell."""
    variant = run.case.scenario.variant
    objective = str(variant.options.get("objective", "non_saturating"))
    return CHANCE.get(objective, 0.25 if objective == "least_squares" else math.nan)
