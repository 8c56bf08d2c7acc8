"""Divergence: a value that is not finite, samples far out of range, or parameters that grow."""

from __future__ import annotations

import math

import numpy as np

from gandiag.diagnosis.definitions import define
from gandiag.diagnosis.diagnosis import Diagnosis, Evidence
from gandiag.diagnosis.sequential import find_alarm
from gandiag.monitoring.signals import MAX_ABS
from gandiag.records.arrays import Array
from gandiag.records.record import Record

# Beginnings of the names of signals that are finite in every healthy run. Other signals, such as
# ratios, may be NaN without harm.
FINITE_SIGNALS = ("loss/value/", "gradient/parameter_norm/", "gradient/non_finite/", MAX_ABS)


def find_blow_up(record: Record) -> int | None:
    """Step since which the samples are far out of range or not finite; None if they are not."""
    steps, values = record[MAX_ABS]
    if not len(values):
        return None
    _, index = _find_divergence(MAX_ABS, values, define("non_convergence.max_abs"), math.inf)
    return None if index is None else int(steps[index])


def detect_divergence(
    condition: str, record: Record, max_abs: float, parameter_growth: float
) -> Diagnosis | None:
    """Report the first value that diverged and has stayed so; None if there is none.

    Args:
        condition: name of the failure.
        record: the run so far.
        max_abs: largest value of the samples over that of the real data, above which they diverged.
        parameter_growth: parameter norm over its first value, above which a network diverged.
    """
    found = [
        (int(signal.steps[index]), name, float(signal.values[index]), threshold)
        for name, signal in record.signals.items()
        if signal.values.ndim == 1 and name.startswith(FINITE_SIGNALS)
        for threshold, index in [_find_divergence(name, signal.values, max_abs, parameter_growth)]
        if index is not None
    ]
    if not found:
        return None
    step, name, value, threshold = min(found)  # by step, then by name, which is unique
    text = f"Since step {step} the training has diverged: {name} was {value:.3g} at that step."
    evidence = (Evidence(name, value, ">", threshold, True),)
    return Diagnosis(condition, "present", text, "divergence", step, None, 1.0, evidence)


def _find_divergence(
    name: str, values: Array, max_abs: float, parameter_growth: float
) -> tuple[float, int | None]:
    """Threshold of a signal, and index of the value since which it has been beyond it.

    A single value that is NaN or infinite is sufficient: weights do not recover from it.
    """
    if name.startswith("gradient/non_finite/"):
        # The gradient scaler of mixed precision starts with a scale that overflows, and then skips
        # the step; so one evaluation is not sufficient.
        return 0.0, find_alarm(values > 0).onset
    non_finite = ~np.isfinite(values)
    if non_finite.any():
        return np.inf, int(np.argmax(non_finite))
    if name == MAX_ABS or name.startswith("gradient/parameter_norm/"):
        threshold = max_abs if name == MAX_ABS else parameter_growth * float(values[0])
        # Weights that all start at 0 have no norm with which a later one could be compared.
        return threshold, find_alarm((values > threshold) & (threshold > 0)).onset
    return np.inf, None
