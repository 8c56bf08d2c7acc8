"""Logs with several discriminators, such as CycleGAN's D_A and D_B: each is evaluated."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from gandiag.diagnosis.detectors._positions import format_position
from gandiag.diagnosis.diagnosis import Diagnosis
from gandiag.monitoring.signals import DISCRIMINATOR_LOSS, GENERATOR_LOSS
from gandiag.records.record import Record, Signal

_ORDER = ("present", "inconclusive", "absent")


def evaluate_each_discriminator(record: Record, detect: Callable[[Record], Diagnosis]) -> Diagnosis:
    """The worst diagnosis of all discriminators of a record, which names its discriminator.

    Args:
        record: a log; its fact ``discriminators`` has the names of several discriminators.
        detect: the detector for a record with the losses of one discriminator.
    """
    names = [str(name) for name in record.facts.get("discriminators", ())]
    if len(names) < 2:
        return _evaluate_one(record, detect)
    found = {name: _evaluate_one(_select(record, name), detect) for name in names[1:]}
    found = {names[0]: _evaluate_one(record, detect), **found}
    worst = min(found, key=lambda name: _ORDER.index(found[name].status))
    status = found[worst].status
    same = [name for name in names if found[name].status == status]
    if len(same) == len(names):
        subject = f"All discriminators ({', '.join(names)}) are alike; of {worst}"
    else:
        others = ", ".join(f"{name} is {found[name].status}" for name in names if name not in same)
        subject = f"Of the discriminator {' and '.join(same)} ({others})"
    summary = f"{subject}: {found[worst].summary}"
    return dataclasses.replace(found[worst], summary=summary)


def _evaluate_one(record: Record, detect: Callable[[Record], Diagnosis]) -> Diagnosis:
    """The diagnosis of one discriminator; nothing is absent where its losses end as NaN."""
    found = detect(record)
    ends = [_find_end(record[name]) for name in (DISCRIMINATOR_LOSS, GENERATOR_LOSS)]
    step = min((end for end in ends if end is not None), default=None)
    if found.status != "absent" or step is None:
        return found
    text = f"From {format_position(record, step)} on the losses are not finite. Before: "
    return dataclasses.replace(found, status="inconclusive", summary=text + found.summary)


def _find_end(signal: Signal) -> int | None:
    """The step from which on no value is finite; None if the last value is finite."""
    steps, values = signal
    finite = np.flatnonzero(np.isfinite(values))
    first = int(finite[-1]) + 1 if len(finite) else 0
    return int(steps[first]) if first < len(steps) else None


def _select(record: Record, name: str) -> Record:
    """The record with the losses of another discriminator in place of those of the first."""
    signals = {
        signal: record[f"loss/value.{name}/{signal.rpartition('/')[2]}"]
        for signal in (DISCRIMINATOR_LOSS, GENERATOR_LOSS)
    }
    return dataclasses.replace(record, signals=signals)
