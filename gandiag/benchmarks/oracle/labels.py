"""Labels of a run: which failure is present at each measurement of the oracle, and of which type.

The rules and their numbers are those of ``reports/detection.md``, which was written before the
first run. The label of a measurement depends on what comes after it, over a horizon. A detector
that watches a training run cannot use the future, so labels and detectors differ in kind.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gandiag.benchmarks.oracle.measurements import (
    HORIZON,
    MIN_HORIZON,
    Array,
    Bools,
    Ints,
    Measurements,
)
from gandiag.diagnosis.definitions import define

ABSENT, PRESENT, GREY = 0, 1, 2  # GREY is in between: neither clearly present nor clearly absent.
CONDITIONS = ("vanishing_gradients", "mode_collapse", "non_convergence")

MIN_SHARE = 0.8  # Share of the measurements of the horizon at which the condition must hold.
MAX_GAP = 200  # Generator steps between present measurements that still count as one span.
START_OF_GREY = 500  # Generator step from which grey measurements count against `ABSENT`.
MAX_GREY_SHARE = 0.2  # Share of grey measurements that a run without the condition may have.

# The definitions of the failures are those of ``definitions.yaml``, which the detectors read, too.
# Of the thresholds below, the first of a pair makes a measurement present, the second grey.
# Diversity is the effective number of modes over the true one; both it and variety are 1 for data.
LOW_DIVERSITY, MEDIUM_DIVERSITY = define("mode_collapse.effective_modes"), 0.85
LOW_VARIETY, MEDIUM_VARIETY = define("mode_collapse.within_mode_variance"), 0.5
MAX_RISE = 0.1  # Gain of diversity over the horizon above which a collapse is about to end.
# Diversity below which collapse is total; within the margin, both "total" and "partial" are right.
TOTAL_DIVERSITY, TOTAL_MARGIN = define("mode_collapse.total"), 0.05
# Changes per 100 generator steps: total variation between the shares, and displacement of the
# centre in mean distances between two true samples.
HIGH_TURNOVER, MEDIUM_TURNOVER = define("non_convergence.turnover"), 0.15
HIGH_DISPLACEMENT, MEDIUM_DISPLACEMENT = define("non_convergence.displacement"), 0.12
# The distance improves if the median of its last third is below this share of that of its first.
IMPROVEMENT = 0.8
# Regression: the distance over the best distance before, and its absolute difference.
HIGH_RATIO, MEDIUM_RATIO = 1.5, 1.25
HIGH_INCREASE, MEDIUM_INCREASE = 0.05, 0.025
FROZEN, SLOW = 0.01, 0.05  # Relative change of the distance over `MIN_HORIZON`: frozen, or slow.
FAR = 0.5  # Distance above which slow change is grey.
SEPARABLE = 0.99  # AUC of a new classifier above which real and generated samples are separable.
MIN_GAIN = 0.1  # Relative decrease of the distance from which a counterfactual has helped.


@dataclass(frozen=True)
class Label:
    """One condition over a run.

    Attributes:
        steps: ``(n,)`` generator steps of the measurements.
        state: ``(n,)`` each `ABSENT`, `PRESENT` or `GREY`.
        kinds: the failure types that are right at each measurement; empty where the condition is
            not present.
    """

    steps: Ints
    state: Ints
    kinds: tuple[frozenset[str], ...]

    @property
    def spans(self) -> tuple[tuple[int, int], ...]:
        """First and last step of each span that is present for `MIN_HORIZON` steps or more."""
        spans = _find_spans(self.state == PRESENT)
        found = [(int(self.steps[begin]), int(self.steps[end])) for begin, end in spans]
        return tuple((begin, end) for begin, end in found if end - begin >= MIN_HORIZON)

    @property
    def verdict(self) -> int:
        """Label of the whole run: `PRESENT`, `ABSENT` or `GREY`."""
        if self.spans:
            return PRESENT
        late = self.state[self.steps >= START_OF_GREY]
        has_few_grey = not len(late) or (late == GREY).mean() <= MAX_GREY_SHARE
        # A run that takes long to cover the modes has many grey measurements, but none at its end.
        at_end = self.state[self.steps > self.steps[-1] - HORIZON]
        is_clear = has_few_grey or not (at_end == GREY).any()
        return ABSENT if is_clear and not (self.state == PRESENT).any() else GREY

    def kinds_at(self, step: int) -> frozenset[str]:
        """Right failure types at the last measurement up to `step`."""
        index = int(np.searchsorted(self.steps, step, side="right")) - 1
        return self.kinds[index] if index >= 0 else frozenset()


def label_run(about: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> dict[str, Label]:
    """Label a run by its oracle's file, see `gandiag.benchmarks.oracle.oracle.read_rows`.

    Args:
        about: the line about the data.
        rows: a row for each measurement.

    Returns:
        The label of each of `CONDITIONS`.
    """
    measured = Measurements.from_rows(about, rows)
    vanishing = _label_vanishing(measured, rows)
    collapse = _label_collapse(measured, vanishing[0] == PRESENT)
    states = vanishing, collapse, _label_non_convergence(measured)
    return {
        condition: Label(measured.steps, state, tuple(kinds))
        for condition, (state, kinds) in zip(CONDITIONS, states, strict=True)
    }


_States = tuple[Ints, list[frozenset[str]]]
"""State and right failure types at each measurement."""


def _label_vanishing(measured: Measurements, rows: Sequence[Mapping[str, Any]]) -> _States:
    """Label vanishing gradients: frozen, separable, and a counterfactual helps or nothing moves."""
    state = np.full(len(measured.steps), ABSENT)
    kinds: list[frozenset[str]] = [frozenset()] * len(state)
    changes = np.full(len(state), np.inf)
    for index in measured.labelled(MIN_HORIZON):
        distance = measured.distance[measured.horizon(index, MIN_HORIZON)]
        if np.isfinite(distance).all():
            changes[index] = np.ptp(distance) / distance[0]
    state[(changes < SLOW) & (measured.distance > FAR)] = GREY
    counterfactuals = [(int(row["step"]), row["otherwise"]) for row in rows if "otherwise" in row]
    for begin, end in _find_spans(changes < FROZEN):
        state[begin : end + 1] = GREY
        first, last = measured.steps[begin], measured.steps[end] + MIN_HORIZON
        results = [result for step, result in counterfactuals if first <= step <= last]
        if not results or results[0]["auc"] <= SEPARABLE:
            continue
        cause = _name_cause(results[0])
        if cause or measured.is_unmoved(begin, end):
            state[begin : end + 1] = PRESENT
            kinds[begin : end + 1] = [frozenset({cause} if cause else ())] * (end + 1 - begin)
    return _extend_to_end(measured, state, kinds, MIN_HORIZON)


def _name_cause(counterfactual: Mapping[str, float]) -> str | None:
    """Cause of vanishing gradients: what the first helpful counterfactual replaced; else None."""
    causes = {"swap": "saturated_objective", "anew": "flat_discriminator"}
    helpful = [name for name in causes if counterfactual.get(name, 0.0) >= MIN_GAIN]
    return causes[helpful[0]] if helpful else None


def _label_collapse(measured: Measurements, is_vanishing: Bools) -> _States:
    diversity, variety = measured.diversity, measured.variety
    strong = (diversity < LOW_DIVERSITY) | (variety < LOW_VARIETY)
    weak = (diversity < MEDIUM_DIVERSITY) | (variety < MEDIUM_VARIETY)
    # Samples that are not finite have no diversity, so nothing can be claimed about them.
    state = _label_lasting(measured, strong, weak | ~np.isfinite(diversity))
    kinds: list[frozenset[str]] = []
    for index in range(len(state)):
        ahead = measured.horizon(index)
        first, last = _median_of_thirds(diversity[ahead])
        # Modes that the generator never covered cannot have been lost.
        if is_vanishing[index] or (state[index] == PRESENT and last - first > MAX_RISE):
            state[index] = GREY
        turnover = _finite_median(measured.turnover[ahead])
        now = _collapse_kinds(diversity[index], variety[index], turnover)
        kinds.append(now if state[index] == PRESENT else frozenset())
    return _extend_to_end(measured, state, kinds, HORIZON)


def _collapse_kinds(diversity: float, variety: float, turnover: float) -> frozenset[str]:
    """Return the right failure types of a collapse; several near a border between two types."""
    if diversity >= LOW_DIVERSITY:
        return frozenset({"intra_mode"})  # All modes are there, so the variety must be low.
    static = {"total"} if diversity < TOTAL_DIVERSITY + TOTAL_MARGIN else set()
    static |= {"partial"} if diversity >= TOTAL_DIVERSITY - TOTAL_MARGIN else set()
    if turnover >= HIGH_TURNOVER:
        border = HIGH_TURNOVER + MEDIUM_TURNOVER
        return frozenset({"hopping"} | (static if turnover < border else set()))
    return frozenset(static | ({"hopping"} if turnover >= MEDIUM_TURNOVER else set()))


def _label_non_convergence(measured: Measurements) -> _States:
    distance, best = measured.distance, np.fmin.accumulate(measured.distance)
    strong = (distance >= HIGH_RATIO * best) & (distance >= best + HIGH_INCREASE)
    weak = (distance >= MEDIUM_RATIO * best) & (distance >= best + MEDIUM_INCREASE)
    states = {
        "oscillation": _label_oscillation(measured),
        "regression": _label_lasting(measured, strong, weak),
        # A run that has diverged once counts as diverged to its end.
        "divergence": np.where(np.logical_or.accumulate(measured.has_diverged), PRESENT, ABSENT),
    }
    whole = np.full(len(measured.steps), ABSENT)
    kinds: list[frozenset[str]] = []
    for index in range(len(whole)):
        now = frozenset(kind for kind, state in states.items() if state[index] == PRESENT)
        is_grey = any(state[index] == GREY for state in states.values())
        whole[index] = PRESENT if now else GREY if is_grey else ABSENT
        kinds.append(now)
    return _extend_to_end(measured, whole, kinds, HORIZON)


def _label_oscillation(measured: Measurements) -> Ints:
    state = np.full(len(measured.steps), ABSENT)
    for index in measured.labelled():
        ahead = measured.horizon(index)
        # The first change of a horizon lies before it, so it is left out.
        turnover = _finite_median(measured.turnover[ahead][1:])
        displacement = _finite_median(measured.displacement[ahead][1:])
        first, last = _median_of_thirds(measured.distance[ahead])
        if turnover >= HIGH_TURNOVER or displacement >= HIGH_DISPLACEMENT:
            # Samples that move but come nearer to the data are learning.
            state[index] = GREY if last < IMPROVEMENT * first else PRESENT
        elif turnover >= MEDIUM_TURNOVER or displacement >= MEDIUM_DISPLACEMENT:
            state[index] = GREY
    return state


def _label_lasting(measured: Measurements, strong: Bools, weak: Bools) -> Ints:
    """Return present where a strong sign lasts over the horizon, and grey where any sign is."""
    state = np.where(strong | weak, GREY, ABSENT)
    for index in measured.labelled():
        if strong[index] and strong[measured.horizon(index)].mean() >= MIN_SHARE:
            state[index] = PRESENT
    return state


def _extend_to_end(
    measured: Measurements, state: Ints, kinds: list[frozenset[str]], horizon: int
) -> _States:
    """Close short gaps; measurements without a horizon keep the last label."""
    on = np.flatnonzero(state == PRESENT)
    for before, after in itertools.pairwise(on):
        if after - before > 1 and measured.steps[after] - measured.steps[before] <= MAX_GAP:
            state[before:after] = PRESENT
            kinds[before:after] = [kinds[before]] * (after - before)
    labelled = measured.labelled(horizon)
    if len(labelled):
        last = labelled[-1]
        state[last + 1 :] = np.where(state[last + 1 :] == PRESENT, PRESENT, state[last])
        kinds[last + 1 :] = [kinds[last]] * (len(state) - last - 1)
    return state, kinds


def _median_of_thirds(values: Array) -> tuple[float, float]:
    """Median of the first and of the last third; fewer than three values have thirds of one."""
    part = max(len(values) // 3, 1)
    return float(np.median(values[:part])), float(np.median(values[-part:]))


def _finite_median(values: Array) -> float:
    """Median of the finite values; 0 if there are none."""
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if len(finite) else 0.0


def _find_spans(on: Bools) -> list[tuple[int, int]]:
    """First and last index of each span of true values."""
    edges = np.diff(np.concatenate([[False], on, [False]]).astype(int))
    begins, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1) - 1
    return list(zip(begins.tolist(), ends.tolist(), strict=True))
