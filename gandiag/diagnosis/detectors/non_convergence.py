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

from gandiag.diagnosis.definitions import define
from gandiag.diagnosis.detectors._causes import TOO_WEAK, compare_balance, name_cause
from gandiag.diagnosis.detectors._divergence import detect_divergence
from gandiag.diagnosis.diagnosis import (
    Diagnosis,
    Evidence,
    compare_median,
    describe_onset,
    format_short,
    report_missing_signals,
)
from gandiag.diagnosis.phases import Phases, find_phases
from gandiag.diagnosis.sequential import FEWEST, Alarm, find_alarm
from gandiag.diagnosis.statistics import rolling_statistic
from gandiag.diagnosis.trends import MIN_VALUES
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
# Evaluations in a median of the displacement and in a mean of the turnover, in the test.
SMOOTH = 5
# Evaluations that a result needs: bets begin once a trend is known, and the fewest bets raise an
# alarm.
EVALUATIONS = MIN_VALUES + FEWEST - 1


@dataclass(frozen=True)
class NonConvergence:
    """The samples keep changing without getting better, have become worse, or have diverged."""

    # The samples keep changing above this displacement per 100 steps, in units of the mean distance
    # between two real samples, if `relative_displacement` or `turnover` is exceeded, too.
    displacement: float = define("non_convergence.displacement")
    # The samples turn into other samples where they move more than this multiple of the mean
    # distance between two of them per 100 steps: healthy runs have 0.1 to 0.6, hopping ones 2 to
    # 20.
    relative_displacement: float = define("non_convergence.relative_displacement")
    # The generated modes change where successive mode histograms differ by more than this total
    # variation distance over the real-vs-real baseline: hopping runs have 0.6 to 1.
    turnover: float = define("non_convergence.turnover")
    # Samples may change without harm below this energy distance, in units of the mean distance
    # between two real samples, if the mode histogram changes less than `turnover`.
    near: float = define("non_convergence.near")
    # The samples have become worse where the root of their energy distance exceeds its best value
    # by this factor, if it also exceeds it by `worse_by`.
    worse: float = define("non_convergence.worse")
    # The samples have become worse where the root of their energy distance exceeds its best value
    # by this difference, too; for samples that are all alike the root is 0.6 to 1.
    worse_by: float = define("non_convergence.worse_by")
    # The samples have diverged where their largest absolute value exceeds this multiple of the real
    # data's.
    max_abs: float = define("non_convergence.max_abs")
    # A network has diverged where its parameter norm exceeds this multiple of its first value.
    parameter_growth: float = define("non_convergence.parameter_growth")

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
        if len(steps) < EVALUATIONS:
            text = (
                f"Too early: {len(steps)} evaluations of the samples until step "
                f"{record.last_step}. A result needs {EVALUATIONS} evaluations."
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
        phases = find_phases(record, steps)
        changing, oscillation = self._find_oscillation(record, steps, turnover, phases)
        found = {
            "oscillation": oscillation,
            "regression": self._find_regression(distance, phases),
        }
        for kind, alarm in found.items():
            if alarm.onset is not None:
                return self._report_present(record, kind, int(steps[alarm.onset]), evidence)
        text = _explain_absent(bool(changing[-1]), bool(phases.improving[-1]), evidence)
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
        self, record: Record, steps: NDArray[np.int64], turnover: Array, phases: Phases
    ) -> tuple[Bools, Alarm]:
        """Evaluations at which the samples change, and the test whether they only do that."""
        displacement = rolling_statistic(record.at(DISPLACEMENT, steps), SMOOTH)
        relative = rolling_statistic(record.at(RELATIVE_DISPLACEMENT, steps), SMOOTH)
        # A mean, because modes may be swapped at every second evaluation only.
        swaps = rolling_statistic(turnover, SMOOTH, np.nanmean)
        changing = displacement > self.displacement
        changing &= (relative > self.relative_displacement) | (swaps > self.turnover)
        # Samples near the data that swap modes are not settled: some modes are missing each time.
        settled = rolling_statistic(record[ENERGY_DISTANCE].values, SMOOTH) < self.near
        settled &= ~(swaps > self.turnover)
        return changing, _find_alarm(changing & ~settled, phases)

    def _find_regression(self, distance: Array, phases: Phases) -> Alarm:
        """Test whether the samples have become worse."""
        best = np.fmin.accumulate(distance)
        beyond = (distance > self.worse * best) & (distance > best + self.worse_by)
        return _find_alarm(beyond, phases)

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
        balance = compare_balance(record, step)
        cause = name_cause(balance)
        summary = f"{summaries[kind]} {TOO_WEAK}" if cause else summaries[kind]
        size = displacement.observed if kind == "oscillation" else excess.observed
        severity, evidence = (
            float(np.clip(size, 0.1, 1)),
            evidence + tuple(sign.evidence for sign in balance),
        )
        return Diagnosis(self.condition, "present", summary, kind, step, cause, severity, evidence)


def _find_alarm(beyond: Bools, phases: Phases) -> Alarm:
    """Run the test; a training whose samples get better converges, whatever else they do."""
    has_trend = np.arange(len(beyond)) >= MIN_VALUES - 1
    return find_alarm(beyond & ~phases.improving, has_trend & ~phases.initial)


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
