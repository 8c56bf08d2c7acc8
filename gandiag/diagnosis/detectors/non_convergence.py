"""Non-convergence: the training oscillates, regresses, or diverges.

What you see: samples that keep changing into other samples without getting better; or sample grids
that were better some time ago; or NaN. The losses may have exactly their equilibrium values.

Why it happens: GAN training is a two-player game, and simultaneous gradient steps need not converge
to its equilibrium. Near the equilibrium they rotate (Mescheder et al. 2018 prove it for one
parameter per network). Momentum, large steps, or one network that learns faster than the other turn
this rotation into cycles or divergence.

How it is measured: on the samples, never by the losses. *Oscillation*: samples at fixed latents
move as far as from one sample to another within 100 steps, or the mode histogram changes far more
than between two draws of real samples; and meanwhile the samples get neither nearer to the data nor
more diverse, and are not near the data all the time. *Regression*: the distance to the data was
clearly smaller before. The recorded energy distance grows like a squared distance, so its root is
compared. *Divergence*: values that are not finite, samples far outside the range of the data, or
parameters that grow tenfold.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from gandiag.diagnosis.detectors._balance import TOO_WEAK, compare_balance
from gandiag.diagnosis.detectors._divergence import detect_divergence
from gandiag.diagnosis.detectors._exclusions import is_starting
from gandiag.diagnosis.diagnosis import (
    Diagnosis,
    Evidence,
    compare_median,
    describe_onset,
    format_short,
    report_missing_signals,
)
from gandiag.diagnosis.statistics import find_onset, persistent_state, rolling_statistic
from gandiag.diagnosis.trends import find_improvement
from gandiag.monitoring.signals import (
    DISPLACEMENT,
    EFFECTIVE_MODES,
    ENERGY_DISTANCE,
    MODE_HISTOGRAM,
    RELATIVE_DISPLACEMENT,
)
from gandiag.records.arrays import Array, Bools, align
from gandiag.records.record import Record

# Newest evaluations in the median of a displacement or turnover, which vary from step to step.
RECENT = 10


@dataclass(frozen=True)
class NonConvergence:
    """The samples keep changing without getting better, have become worse, or have diverged."""

    # The samples keep changing above this displacement per 100 steps, in units of the mean distance
    # between two real samples, if `relative_displacement` or `turnover` is exceeded, too.
    displacement: float = 0.25
    # The samples turn into other samples where they move more than this multiple of the mean
    # distance between two of them per 100 steps: healthy runs have 0.1 to 0.6, hopping ones 2 to
    # 20.
    relative_displacement: float = 0.9
    # The generated modes change where successive mode histograms differ by more than this total
    # variation distance over the real-vs-real baseline: hopping runs have 0.6 to 1.
    turnover: float = 0.3
    # Displacement and turnover are medians and means over this many evaluations; fewer give no
    # result.
    window: int = 10
    # The training converges where the energy distance falls by more than this share of itself over
    # 20 evaluations.
    distance_fall: float = 0.2
    # The training converges where the effective number of modes rises by more than this over 20
    # evaluations.
    diversity_gain: float = 0.05
    # Samples may change without harm below this energy distance, in units of the mean distance
    # between two real samples: modes with shares that are wrong by 0.15 have 2 * 0.15².
    near: float = 0.05
    # A fall of the energy distance does not count below this effective number of modes, because
    # one repeated sample that wanders to the center of the data gets nearer, too.
    single_mode: float = 0.2
    # The samples have become worse where the root of their energy distance exceeds its best value
    # by this factor, if it also exceeds it by `worse_by`.
    worse: float = 1.3
    # The samples have become worse where the root of their energy distance exceeds its best value
    # by this difference, too; for samples that are all alike the root is 0.6 to 1.
    worse_by: float = 0.1
    # The samples have diverged where their largest absolute value exceeds this multiple of the real
    # data's.
    max_abs: float = 10.0
    # A network has diverged where its parameter norm exceeds this multiple of its first value.
    parameter_growth: float = 10.0
    # Generated samples get higher scores than real ones below this discriminator AUC.
    weak_auc: float = 0.3
    # The discriminator is too weak (a cause) where more than this share of the evaluations has an
    # AUC below `weak_auc`; healthy runs have none.
    weak_share: float = 0.2
    # The discriminator is too weak (a cause) where it loses more than this share of a step's gain
    # in score gap by its next step; healthy runs lose -0.1 to 0.3.
    lost_gain: float = 0.4
    # Only divergence is reported before this many generator steps, because the samples of every
    # generator change much at the start.
    warm_up: int = 350

    condition: ClassVar[str] = "non_convergence"
    # None is required: a divergence shows in any signal, and `detect` reports the others itself.
    needs: ClassVar[frozenset[str]] = frozenset()

    def detect(self, record: Record) -> Diagnosis:
        """Evaluate divergence at every step, oscillation and regression after the warm-up."""
        diverged = detect_divergence(self.condition, record, self.max_abs, self.parameter_growth)
        if diverged is not None:
            return diverged
        missing = {
            MODE_HISTOGRAM,
            ENERGY_DISTANCE,
            EFFECTIVE_MODES,
            DISPLACEMENT,
            RELATIVE_DISPLACEMENT,
        } - record.signals.keys()
        if missing and record.signals:
            return report_missing_signals(self.condition, missing, record=record)
        steps, energy = record[ENERGY_DISTANCE]
        if len(steps) < self.window or steps[-1] < self.warm_up:
            text = (
                f"Too early: {len(steps)} evaluations of the samples until step "
                f"{record.last_step}. A result needs {self.window} evaluations and {self.warm_up} "
                "steps."
            )
            return Diagnosis(self.condition, "inconclusive", text)
        turnover = self._compute_turnover(record, steps)
        # Estimates of a small energy distance may be negative. Infinite values would make the
        # median infinite; NaN is left out.
        finite = np.where(np.isfinite(energy), energy, np.nan)
        distance = np.sqrt(np.maximum(rolling_statistic(finite, 5), 0))
        evidence = self._compare(record, steps, turnover, distance)
        unknown = [item.signal for item in (evidence[0], evidence[3]) if np.isnan(item.observed)]
        if unknown:
            text = (
                f"The newest values of {' and '.join(unknown)} are not finite, so the failure "
                "cannot be evaluated."
            )
            return Diagnosis(self.condition, "inconclusive", text, evidence=evidence)
        changing, improving, oscillation = self._find_oscillation(record, steps, turnover)
        states = {
            "oscillation": (oscillation, changing),
            "regression": self._find_regression(steps, distance),
        }
        for kind, (state, beyond) in states.items():
            onset = find_onset(state, beyond)
            if onset is not None:
                return self._report_present(record, kind, int(steps[onset]), evidence)
        text = _explain_absent(bool(changing[-1]), bool(improving[-1]), evidence)
        return Diagnosis(self.condition, "absent", text, evidence=evidence)

    def _compare(
        self, record: Record, steps: NDArray[np.int64], turnover: Array, distance: Array
    ) -> tuple[Evidence, ...]:
        best = np.fmin.accumulate(distance)
        # Where the best distance is 0, any larger distance is infinitely worse.
        infinite = np.full(len(distance), np.inf)
        ratio = np.asarray(np.divide(distance, best, out=infinite, where=best > 0))
        return (
            compare_median(
                DISPLACEMENT,
                record.at(DISPLACEMENT, steps),
                ">",
                self.displacement,
                "displacement of the samples per 100 steps",
                RECENT,
            ),
            compare_median(
                RELATIVE_DISPLACEMENT,
                record.at(RELATIVE_DISPLACEMENT, steps),
                ">",
                self.relative_displacement,
                evaluations=RECENT,
            ),
            compare_median(
                MODE_HISTOGRAM,
                turnover,
                ">",
                self.turnover,
                "change of the mode histogram over its baseline",
                RECENT,
            ),
            compare_median(
                ENERGY_DISTANCE,
                distance - best,
                ">",
                self.worse_by,
                "distance to the data minus its best",
            ),
            compare_median(
                ENERGY_DISTANCE, ratio, ">", self.worse, "distance to the data over its best"
            ),
        )

    def _compute_turnover(self, record: Record, steps: NDArray[np.int64]) -> Array:
        """Total variation distance between successive mode histograms, minus its baseline."""
        histogram_steps, histograms = record[MODE_HISTOGRAM]
        change = np.abs(np.diff(histograms, axis=0)).sum(1) / 2
        baseline = record.facts.get("turnover_baseline", 0.0)
        return align(steps, histogram_steps[1:], change - baseline)

    def _find_oscillation(
        self, record: Record, steps: NDArray[np.int64], turnover: Array
    ) -> tuple[Bools, Bools, Bools]:
        """Evaluations at which the samples change, at which they improve, and the state."""
        displacement = rolling_statistic(record.at(DISPLACEMENT, steps), self.window)
        relative = rolling_statistic(record.at(RELATIVE_DISPLACEMENT, steps), self.window)
        # A mean, because modes may be swapped at every second evaluation only.
        swaps = rolling_statistic(turnover, self.window, np.nanmean)
        changing = displacement > self.displacement
        changing &= (relative > self.relative_displacement) | (swaps > self.turnover)
        energy, diversity = record[ENERGY_DISTANCE].values, record.at(EFFECTIVE_MODES, steps)
        improving = find_improvement(
            energy, diversity, self.distance_fall, self.diversity_gain, self.single_mode
        )
        improving |= is_starting(record, steps)
        settled = rolling_statistic(energy, self.window) < self.near
        beyond = changing & ~improving & ~settled & (steps >= self.warm_up)
        # Looser thresholds end the oscillation, so that noise does not end it.
        calm = (relative < 0.8 * self.relative_displacement) & (swaps < 0.8 * self.turnover)
        calm |= (displacement < 0.8 * self.displacement) | settled
        return changing, improving, persistent_state(beyond, calm)

    def _find_regression(self, steps: NDArray[np.int64], distance: Array) -> tuple[Bools, Bools]:
        """State of a regression, and the evaluations at which the distance is beyond its limits."""
        best = np.fmin.accumulate(distance)
        beyond = (distance > self.worse * best) & (distance > best + self.worse_by)
        clear = (distance < 0.8 * self.worse * best) | (distance < best + 0.8 * self.worse_by)
        return persistent_state(beyond & (steps >= self.warm_up), clear), beyond

    def _report_present(
        self, record: Record, kind: str, step: int, evidence: tuple[Evidence, ...]
    ) -> Diagnosis:
        displacement, relative, _, excess, _ = evidence
        since = describe_onset(step, int(record[ENERGY_DISTANCE].steps[0]))
        summaries = {
            "oscillation": (
                f"{since} the samples have kept changing without getting better. Within "
                f"100 steps each sample moves {displacement.observed:.0%} of the mean distance "
                f"between two real samples, and {relative.observed:.0%} of that between two "
                "generated samples."
            ),
            "regression": (
                f"{since} the samples have been farther from the data than before: the "
                f"root of their energy distance is {format_short(excess.observed)} above its best. "
                "For samples that are all alike, it is 0.6 to 1."
            ),
        }
        balance = compare_balance(record, step, self.weak_auc, self.weak_share, self.lost_gain)
        is_weak = any(sign.holds for sign in balance)
        cause = "discriminator_too_weak" if is_weak else None
        summary = f"{summaries[kind]} {TOO_WEAK}" if is_weak else summaries[kind]
        size = displacement.observed if kind == "oscillation" else excess.observed
        severity, evidence = float(np.clip(size, 0.1, 1)), evidence + balance
        return Diagnosis(self.condition, "present", summary, kind, step, cause, severity, evidence)


def _explain_absent(is_changing: bool, is_improving: bool, evidence: tuple[Evidence, ...]) -> str:
    displacement, relative, turnover, excess, ratio = evidence
    if is_changing and is_improving:
        return "The samples change much, but are getting better: the generator is learning."
    if excess.holds and ratio.holds:
        return "The samples were nearer to the data before, but have not been farther for long."
    if displacement.holds and (relative.holds or turnover.holds):
        return "The samples change much, but have not done so for long."
    return (
        "The samples change little, and are about as near to the data as ever: within 100 steps "
        f"each sample moves {format_short(displacement.observed)} times the mean distance between "
        "two real samples."
    )
