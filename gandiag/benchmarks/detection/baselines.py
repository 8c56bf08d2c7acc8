"""Rules of other tools, with their own defaults, asked about the same records.

Each is asked for the condition that it is nearest to. Their steps are generator steps; losses and
gradients are recorded every tenth. They know one network and one loss, so each is asked about the
player that it makes sense for, or about both.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gandiag.diagnosis.statistics import rolling
from gandiag.diagnosis.trends import mann_kendall
from gandiag.records.record import Record, Signal

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Trace:
    """What a rival is shown.

    Attributes:
        record: the run's.
        looks: what the oracle wrote of the samples, for rules that ask for plain sample statistics.
        sizes: entries of each weight tensor of the generator, by its name.
        chance: discriminator's loss where it cannot tell; NaN where that has no meaning.
    """

    record: Record
    looks: Sequence[Mapping[str, Any]]
    sizes: Mapping[str, int]
    chance: float

    def generator(self, what: str) -> Signal:
        """A signal of the generator."""
        return self.record[f"{what}/generator"]

    def look(self, name: str) -> Signal:
        """A number of the oracle's looks."""
        rows = [row for row in self.looks if name in row]
        steps = np.array([row["step"] for row in rows], dtype=np.int64)
        return Signal(steps, np.array([row[name] for row in rows], dtype=float))


Rule = Callable[[Trace], Sequence[tuple[Ints, Bools]]]


@dataclass(frozen=True)
class Baseline:
    """A rule, the condition that it is asked for, and where it comes from."""

    name: str
    condition: str
    source: str
    rule: Rule


def alarms(rival: Baseline, trace: Trace, asked: Ints) -> Bools:
    """Whether a rule has fired since the step asked before, at each step asked."""
    fired = [steps[on] for steps, on in rival.rule(trace)]
    at = np.sort(np.concatenate([np.empty(0, np.int64), *fired]))
    before = np.concatenate([[-1], asked[:-1]])
    return np.asarray(np.searchsorted(at, asked, "right") > np.searchsorted(at, before, "right"))


def _where(signal: Signal, on: Callable[[NDArray[np.float64]], Bools]) -> tuple[Ints, Bools]:
    with np.errstate(invalid="ignore"):
        return signal.steps, on(signal.values)


def _below(get: Callable[[Trace], Signal], gate: float) -> Rule:
    return lambda trace: [_where(get(trace), lambda v: v < gate)]


def _above(get: Callable[[Trace], Signal], gate: float) -> Rule:
    return lambda trace: [_where(get(trace), lambda v: v > gate)]


def _norms(trace: Trace) -> Signal:
    return trace.generator("gradient/norm")


def _tiny_mean(trace: Trace) -> Sequence[tuple[Ints, Bools]]:
    """Mean |g| of a tensor from its norm: sqrt(2 / (pi n)) times that, for Gaussian entries."""
    found = []
    for name, size in trace.sizes.items():
        norm = trace.generator(f"gradient/norm.{name}")
        found.append((norm.steps, norm.values * math.sqrt(2 / math.pi / size) < 1e-7))
    return found


def _layers_vanish(trace: Trace) -> Sequence[tuple[Ints, Bools]]:
    if len(trace.sizes) < 2:
        return []
    first = trace.generator(f"gradient/norm.{next(iter(trace.sizes))}")
    shares = trace.record.at("gradient/first_to_last/generator", first.steps)
    return [(first.steps, (shares < 1e-3) & (first.values < 1e-4))]


def _sure_for_long(trace: Trace) -> Sequence[tuple[Ints, Bools]]:
    loss = trace.record["loss/value/discriminator"]
    low = rolling(loss.values, 20) < 0.05 * trace.chance
    return [(loss.steps, rolling(low.astype(float), 20, np.nanmin) > 0)] if len(low) else []


def _losses(rule: Callable[[NDArray[np.float64]], Bools]) -> Rule:
    def of_both(trace: Trace) -> Sequence[tuple[Ints, Bools]]:
        players = ("generator", "discriminator")
        found = (trace.record[f"loss/value/{player}"] for player in players)
        return [_where(signal, rule) for signal in found if len(signal.steps)]

    return of_both


def _not_decreasing(values: NDArray[np.float64]) -> Bools:
    on = np.zeros(len(values), dtype=bool)
    on[10:] = values[10:] > (1 - 0.001) * values[:-10]
    return on


def _plateau(values: NDArray[np.float64]) -> Bools:
    best, since, on = math.inf, 0, np.zeros(len(values), dtype=bool)
    for index, value in enumerate(values):
        better = value < best - 1e-5
        best, since = (value, 0) if better else (best, since + 1)
        on[index] = since >= 10  # looks, one every 10 steps: 100 steps
    return on


def _spike(values: NDArray[np.float64]) -> Bools:
    on = np.zeros(len(values), dtype=bool)
    for end in range(50, len(values)):
        mean = values[end - 50 : end].mean()
        on[end] = mean > 0 and values[end] > 5 * mean
    return on


def _trends(values: NDArray[np.float64]) -> Bools:
    on = np.zeros(len(values), dtype=bool)
    for end in range(20, len(values) + 1):
        tau, p = mann_kendall(values[end - 20 : end])
        on[end - 1] = p < 0.01 and tau > 0
    return on


def _not_finite(values: NDArray[np.float64]) -> Bools:
    return ~np.isfinite(values)


BASELINES: tuple[Baseline, ...] = (
    Baseline("mean abs g < 1e-7", "vanishing_gradients", "SageMaker Debugger", _tiny_mean),
    Baseline("layer ratio < 1e-3", "vanishing_gradients", "AutoTrainer", _layers_vanish),
    Baseline(
        "0 < norm < 1e-7",
        "vanishing_gradients",
        "trainpulse",
        lambda trace: [_where(_norms(trace), lambda v: (v > 0) & (v < 1e-7))],
    ),
    Baseline(
        "D loss < 0.005",
        "vanishing_gradients",
        "folk",
        _below(lambda trace: trace.record["loss/value/discriminator"], 0.005),
    ),
    Baseline("D loss < 5 % of chance", "vanishing_gradients", "folk", _sure_for_long),
    Baseline("cosine > 0.7", "mode_collapse", "folk", _above(lambda t: t.look("cosine"), 0.7)),
    Baseline("cosine > 0.9", "mode_collapse", "folk", _above(lambda t: t.look("cosine"), 0.9)),
    Baseline("distance < 0.1", "mode_collapse", "folk", _below(lambda t: t.look("pairs"), 0.1)),
    Baseline(
        "deviation < 0.1", "mode_collapse", "folk", _below(lambda t: t.look("deviation"), 0.1)
    ),
    Baseline(
        "spread < 5 % of real",
        "mode_collapse",
        "folk",
        _below(lambda trace: trace.generator("displacement/latent_spread"), 0.05),
    ),
    Baseline("loss not falling", "non_convergence", "SageMaker Debugger", _losses(_not_decreasing)),
    Baseline("NaN or infinite", "non_convergence", "SageMaker Debugger", _losses(_not_finite)),
    Baseline("plateau", "non_convergence", "trainpulse", _losses(_plateau)),
    Baseline("loss spike", "non_convergence", "trainpulse", _losses(_spike)),
    Baseline("norm > 100", "non_convergence", "trainpulse, ganhacks", _above(_norms, 100.0)),
    Baseline(
        "layer ratio > 70",
        "non_convergence",
        "AutoTrainer",
        _above(lambda trace: trace.generator("gradient/first_to_last"), 70.0),
    ),
    Baseline("loss rises", "non_convergence", "folk", _losses(_trends)),
)
