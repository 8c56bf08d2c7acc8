"""Baseline rules: rules of other tools and rules of thumb, evaluated on the same records.

Each rule has the thresholds of its source and is evaluated for the condition that it fits best. A
step is a generator step; losses and gradients are recorded every tenth step. These tools watch one
network and one loss, so a rule is evaluated for the network that it makes sense for, or for both.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kendalltau

from gandiag.diagnosis.statistics import rolling_statistic
from gandiag.monitoring.signals import (
    DISCRIMINATOR_LOSS,
    FIRST_TO_LAST,
    GENERATOR_GRADIENT_NORM,
    GENERATOR_LOSS,
    LATENT_SPREAD,
)
from gandiag.records.record import Record, Signal

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Trace:
    """What a baseline rule can read of a run.

    Attributes:
        record: the record of the run.
        measurements: rows of the oracle, for rules that use plain statistics of samples.
        weight_counts: number of entries of each weight tensor of the generator, by its name.
        chance_loss: loss of a discriminator at chance; NaN if the objective has no such value.
    """

    record: Record
    measurements: Sequence[Mapping[str, Any]]
    weight_counts: Mapping[str, int]
    chance_loss: float

    def weight_gradient_norm(self, name: str) -> Signal:
        """Gradient norm of one weight tensor of the generator."""
        return self.record[GENERATOR_GRADIENT_NORM.replace("norm", f"norm.{name}")]

    def oracle_signal(self, name: str) -> Signal:
        """One number of the oracle's measurements as a signal."""
        rows = [row for row in self.measurements if name in row]
        steps = np.array([row["step"] for row in rows], dtype=np.int64)
        return Signal(steps, np.array([row[name] for row in rows], dtype=float))


Rule = Callable[[Trace], Sequence[tuple[Ints, Bools]]]
"""Returns, for each signal that the rule reads, its steps and whether the rule fires at each."""


@dataclass(frozen=True)
class Baseline:
    """A baseline rule.

    Attributes:
        name: the rule in a few characters.
        condition: condition for which the rule is evaluated.
        source: tool or collection of advice that contains the rule.
        rule: the rule itself.
    """

    name: str
    condition: str
    source: str
    rule: Rule


def find_alarms(baseline: Baseline, trace: Trace, steps: Ints) -> Bools:
    """Return, for each evaluation, whether the rule has fired since the evaluation before.

    Args:
        baseline: the rule.
        trace: the run.
        steps: ``(n,)`` generator steps of the evaluations.
    """
    # An alarm between two evaluations counts at the later one, as if the tool had been running all
    # the time and its output were read at the evaluations.
    fired = [at[on] for at, on in baseline.rule(trace)]
    at = np.sort(np.concatenate([np.empty(0, np.int64), *fired]))
    previous = np.concatenate([[-1], steps[:-1]])
    return np.asarray(np.searchsorted(at, steps, "right") > np.searchsorted(at, previous, "right"))


def _apply(signal: Signal, test: Callable[[Floats], Bools]) -> tuple[Ints, Bools]:
    with np.errstate(invalid="ignore"):  # A NaN is on neither side of a threshold.
        return signal.steps, test(signal.values)


def _below(get: Callable[[Trace], Signal], threshold: float) -> Rule:
    return lambda trace: [_apply(get(trace), lambda values: values < threshold)]


def _above(get: Callable[[Trace], Signal], threshold: float) -> Rule:
    return lambda trace: [_apply(get(trace), lambda values: values > threshold)]


def _signal(name: str) -> Callable[[Trace], Signal]:
    return lambda trace: trace.record[name]


def _oracle_signal(name: str) -> Callable[[Trace], Signal]:
    return lambda trace: trace.oracle_signal(name)


def _is_vanishing_norm(trace: Trace) -> Sequence[tuple[Ints, Bools]]:
    norm = trace.record[GENERATOR_GRADIENT_NORM]
    return [_apply(norm, lambda values: (values > 0) & (values < 1e-7))]


def _has_tiny_mean(trace: Trace) -> Sequence[tuple[Ints, Bools]]:
    """The mean |g| of a tensor of n entries is below 1e-7.

    The record holds the norm only. For Gaussian entries of standard deviation s, the norm is about
    s sqrt(n) and the mean of |g| is s sqrt(2 / pi), hence the factor sqrt(2 / (pi n)).
    """
    found = []
    for name, count in trace.weight_counts.items():
        norm = trace.weight_gradient_norm(name)
        found.append((norm.steps, norm.values * math.sqrt(2 / math.pi / count) < 1e-7))
    return found


def _do_layers_vanish(trace: Trace) -> Sequence[tuple[Ints, Bools]]:
    if len(trace.weight_counts) < 2:
        return []  # A single layer has no ratio.
    first = trace.weight_gradient_norm(next(iter(trace.weight_counts)))
    ratios = trace.record.at(FIRST_TO_LAST, first.steps)
    return [(first.steps, (ratios < 1e-3) & (first.values < 1e-4))]


def _is_loss_low_for_long(trace: Trace) -> Sequence[tuple[Ints, Bools]]:
    """The mean discriminator loss of 20 values stays below 5 % of chance for 20 values."""
    loss = trace.record[DISCRIMINATOR_LOSS]
    # A critic has no chance level, so the threshold is NaN and the rule never fires.
    is_low = rolling_statistic(loss.values, 20) < 0.05 * trace.chance_loss
    if not len(is_low):
        return []
    return [(loss.steps, rolling_statistic(is_low.astype(float), 20, np.nanmin) > 0)]


def _losses(test: Callable[[Floats], Bools]) -> Rule:
    """A rule on the loss of either network."""

    def of_both(trace: Trace) -> Sequence[tuple[Ints, Bools]]:
        losses = (trace.record[name] for name in (GENERATOR_LOSS, DISCRIMINATOR_LOSS))
        return [_apply(loss, test) for loss in losses if len(loss.steps)]

    return of_both


def _is_not_decreasing(values: Floats) -> Bools:
    """The loss has not fallen by 0.1 % within 10 recorded values."""
    on = np.zeros(len(values), dtype=bool)
    on[10:] = values[10:] > (1 - 0.001) * values[:-10]
    return on


def _is_on_plateau(values: Floats) -> Bools:
    """The loss has had no new minimum for 10 recorded values."""
    # Losses are recorded every tenth step, so 10 values are a patience of 100 steps.
    best, since, on = math.inf, 0, np.zeros(len(values), dtype=bool)
    for index, value in enumerate(values):
        is_better = value < best - 1e-5
        best, since = (value, 0) if is_better else (best, since + 1)
        on[index] = since >= 10
    return on


def _is_spike(values: Floats) -> Bools:
    """The loss is above 5 times the mean of the last 50 values; the rule is off below 0."""
    on = np.zeros(len(values), dtype=bool)
    # The value itself is not part of the mean with which it is compared.
    for end in range(50, len(values)):
        mean = values[end - 50 : end].mean()
        on[end] = mean > 0 and values[end] > 5 * mean
    return on


def _is_rising(values: Floats) -> Bools:
    """The last 20 values of the loss rise by the test of Mann and Kendall, p below 0.01."""
    on = np.zeros(len(values), dtype=bool)
    for end in range(20, len(values) + 1):
        test = kendalltau(range(20), values[end - 20 : end], nan_policy="omit")
        on[end - 1] = test.pvalue < 0.01 and test.statistic > 0
    return on


def _is_not_finite(values: Floats) -> Bools:
    return ~np.isfinite(values)


_VANISHING, _COLLAPSE, _NON_CONVERGENCE = "vanishing_gradients", "mode_collapse", "non_convergence"
_RULE_OF_THUMB = "rule of thumb"

# The names show the thresholds, and the tables of reports/detection.md have this order.
BASELINES: tuple[Baseline, ...] = (
    Baseline("mean abs g < 1e-7", _VANISHING, "SageMaker Debugger", _has_tiny_mean),
    Baseline("layer ratio < 1e-3", _VANISHING, "AutoTrainer", _do_layers_vanish),
    Baseline("0 < norm < 1e-7", _VANISHING, "trainpulse", _is_vanishing_norm),
    Baseline(
        "D loss < 0.005", _VANISHING, _RULE_OF_THUMB, _below(_signal(DISCRIMINATOR_LOSS), 0.005)
    ),
    Baseline("D loss < 5 % of chance", _VANISHING, _RULE_OF_THUMB, _is_loss_low_for_long),
    Baseline("cosine > 0.7", _COLLAPSE, _RULE_OF_THUMB, _above(_oracle_signal("cosine"), 0.7)),
    Baseline("cosine > 0.9", _COLLAPSE, _RULE_OF_THUMB, _above(_oracle_signal("cosine"), 0.9)),
    Baseline("distance < 0.1", _COLLAPSE, _RULE_OF_THUMB, _below(_oracle_signal("pairs"), 0.1)),
    Baseline(
        "deviation < 0.1", _COLLAPSE, _RULE_OF_THUMB, _below(_oracle_signal("deviation"), 0.1)
    ),
    Baseline(
        "spread < 5 % of real", _COLLAPSE, _RULE_OF_THUMB, _below(_signal(LATENT_SPREAD), 0.05)
    ),
    Baseline(
        "loss not falling", _NON_CONVERGENCE, "SageMaker Debugger", _losses(_is_not_decreasing)
    ),
    Baseline("NaN or infinite", _NON_CONVERGENCE, "SageMaker Debugger", _losses(_is_not_finite)),
    Baseline("plateau", _NON_CONVERGENCE, "trainpulse", _losses(_is_on_plateau)),
    Baseline("loss spike", _NON_CONVERGENCE, "trainpulse", _losses(_is_spike)),
    Baseline(
        "norm > 100",
        _NON_CONVERGENCE,
        "trainpulse, ganhacks",
        _above(_signal(GENERATOR_GRADIENT_NORM), 100.0),
    ),
    Baseline(
        "layer ratio > 70", _NON_CONVERGENCE, "AutoTrainer", _above(_signal(FIRST_TO_LAST), 70.0)
    ),
    Baseline("loss rises", _NON_CONVERGENCE, _RULE_OF_THUMB, _losses(_is_rising)),
)
