"""Non-convergence: the game does not settle, falls back, or blows up.

What you see: samples that keep changing into something else without getting better; or sheets that
were better a while ago; or NaN. The losses may sit exactly at their "equilibrium" values meanwhile.

Why it happens: simultaneous gradient steps on a two-player game need not approach its equilibrium.
Around it they rotate (Mescheder et al. 2018 show it exactly for one parameter each), and momentum,
large steps, or one player outpacing the other turn rotation into cycles or divergence.

How it is measured: in the space of the samples, never by the losses. *Oscillation*: within
100 steps the sample of a fixed latent moves as far as from one sample to another, or the histogram
over the data's cells turns over far more than between two draws of real data, while the samples get
neither closer to the data nor more diverse, and are not near them all the while: cells within one
mode may change hands. *Regression*: that distance was clearly smaller before; the energy distance's
square is what is recorded, and its root what is compared, as only that grows as samples move away.
*Divergence*: values that are not finite, samples far outside the data's range, or parameters that
grow tenfold.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from gandiag.diagnosis.detectors._balance import TOO_WEAK, compare_balance
from gandiag.diagnosis.detectors._exclusions import is_starting
from gandiag.diagnosis.diagnosis import Diagnosis, Evidence, compare_median, report_missing_signals
from gandiag.diagnosis.statistics import find_onset, persistent_state, rolling_statistic
from gandiag.diagnosis.trends import find_improvement
from gandiag.monitoring.signals import (
    DISPLACEMENT,
    EFFECTIVE_MODES,
    ENERGY_DISTANCE,
    MAX_ABS,
    MODE_HISTOGRAM,
    RELATIVE_DISPLACEMENT,
)
from gandiag.records.arrays import Array, Bools, align
from gandiag.records.record import Record

BLOWN = (
    "loss/value/",
    "gradient/parameter_norm/",
    "gradient/non_finite/",
    MAX_ABS,
)  # never NaN if sane


@dataclass(frozen=True)
class NonConvergence:
    """The samples keep changing without getting better, got worse, or blew up."""

    displacement: float = 0.25  # real scales per 100 steps, above, and ...
    relative_displacement: float = 0.9  # ... over their own spread, above: healthy .1-.6, hopping 2-20; or
    turnover: float = 0.3  # ... histogram change between looks less its null, above: hopping .6-1
    window: int = 10  # looks over which these are taken
    distance_fall: float = 0.2  # fall of the distance to the data over 20 looks, above: it learns; or ...
    diversity_gain: float = 0.05  # ... rise of the diversity over 20 looks, above
    near: float = 0.05  # distance to the data, below: settled; shares .15 off are 2 * .15**2 away
    single_mode: float = 0.2  # diversity, below: one blob that drifts nearer does not learn
    worse: float = 1.3  # energy distance to the data over its best, above, ...
    worse_by: float = 0.1  # ... and above the best by this much; samples all alike are .6 to 1 away
    max_abs: float = 10.0  # largest sample value over the real data's, above
    parameter_growth: float = 10.0  # of the norm of a player's parameters since the first look, above
    weak_auc: float = 0.3  # D's ranking of real over fake, below: the fakes win, ...
    weak_share: float = 0.2  # ... in more than this share of its turns: D is too weak; healthy 0; or
    lost_gain: float = 0.4  # share of D's gain gone at its next turn, above: healthy -.1-.3
    warm_up: int = 350  # generator steps before which only divergence is judged

    condition: ClassVar[str] = "non_convergence"
    needs: ClassVar[frozenset[str]] = frozenset()  # values that blow up show in any signal

    def detect(self, record: Record) -> Diagnosis:
        """Look for divergence at once, for oscillation and regression after the warm-up."""
        blown = self._divergence(record)
        if blown is not None:
            return blown
        missing = {
            MODE_HISTOGRAM,
            ENERGY_DISTANCE,
            EFFECTIVE_MODES,
            DISPLACEMENT,
            RELATIVE_DISPLACEMENT,
        } - record.signals.keys()
        if missing and record.signals:
            return report_missing_signals(self.condition, missing)
        steps, energy = record[ENERGY_DISTANCE]
        if len(steps) < self.window or steps[-1] < self.warm_up:
            summary = (
                f"Too early: {len(steps)} looks at the samples until step {record.last_step}. "
                f"Convergence is judged after {self.window} looks and {self.warm_up} steps."
            )
            return Diagnosis(self.condition, "inconclusive", summary)
        turnover = self._turnover(record, steps)
        motion, relative = record.at(DISPLACEMENT, steps), record.at(RELATIVE_DISPLACEMENT, steps)
        level = np.sqrt(np.maximum(rolling_statistic(np.where(np.isfinite(energy), energy, np.nan), 5), 0))
        best = np.fmin.accumulate(level)
        evidence = (
            compare_median(
                DISPLACEMENT, motion, ">", self.displacement, "motion of the samples, per 100 steps", 10
            ),
            compare_median(
                RELATIVE_DISPLACEMENT,
                relative,
                ">",
                self.relative_displacement,
                "motion over the samples' spread",
                10,
            ),
            compare_median(
                MODE_HISTOGRAM,
                turnover,
                ">",
                self.turnover,
                "histogram change from look to look",
                10,
            ),
            compare_median(
                ENERGY_DISTANCE,
                level - best,
                ">",
                self.worse_by,
                "distance to the data above its best",
            ),
            compare_median(
                ENERGY_DISTANCE,
                _ratio(level, best),
                ">",
                self.worse,
                "distance over its best so far",
            ),
        )
        unknown = [item.signal for item in (evidence[0], evidence[3]) if np.isnan(item.observed)]
        if unknown:
            summary = f"Of late {' and '.join(unknown)} gave no finite number: it cannot be judged."
            return Diagnosis(self.condition, "inconclusive", summary, evidence=evidence)
        restless, learning, swinging = self._swinging(record, steps, turnover)
        states = {"oscillation": (swinging, restless), "regression": self._fallen(steps, level)}
        for kind, (state, beyond) in states.items():
            onset = find_onset(state, beyond)
            if onset is not None:
                return self._present(record, kind, int(steps[onset]), evidence)
        summary = _why_absent(bool(restless[-1]), bool(learning[-1]), evidence)
        return Diagnosis(self.condition, "absent", summary, evidence=evidence)

    def _turnover(self, record: Record, steps: NDArray[np.int64]) -> Array:
        """Total variation between the histograms of successive looks, less its null."""
        bins = record[MODE_HISTOGRAM].values
        change = np.abs(np.diff(bins, axis=0)).sum(1) / 2 - record.facts.get(
            "turnover_baseline", 0.0
        )
        return align(steps, record[MODE_HISTOGRAM].steps[1:], change)

    def _swinging(
        self, record: Record, steps: NDArray[np.int64], turnover: Array
    ) -> tuple[Bools, Bools, Bools]:
        """Where the samples keep turning into others, where they learn, and where they swing."""
        motion = rolling_statistic(record.at(DISPLACEMENT, steps), self.window)
        relative = rolling_statistic(record.at(RELATIVE_DISPLACEMENT, steps), self.window)
        swaps = rolling_statistic(turnover, self.window, np.nanmean)
        restless = (motion > self.displacement) & ((relative > self.relative_displacement) | (swaps > self.turnover))
        energy, diversity = record[ENERGY_DISTANCE].values, record.at(EFFECTIVE_MODES, steps)
        learning = find_improvement(energy, diversity, self.distance_fall, self.diversity_gain, self.single_mode)
        learning |= is_starting(record, steps)
        settled = rolling_statistic(energy, self.window) < self.near
        beyond = restless & ~learning & ~settled & (steps >= self.warm_up)
        calm = (relative < 0.8 * self.relative_displacement) & (swaps < 0.8 * self.turnover)
        calm |= (motion < 0.8 * self.displacement) | settled
        return restless, learning, persistent_state(beyond, calm)

    def _fallen(self, steps: NDArray[np.int64], level: Array) -> tuple[Bools, Bools]:
        """Where the distance to the data is clearly above the best so far."""
        best = np.fmin.accumulate(level)
        beyond = (level > self.worse * best) & (level > best + self.worse_by)
        clear = (level < 0.8 * self.worse * best) | (level < best + 0.8 * self.worse_by)
        return persistent_state(beyond & (steps >= self.warm_up), clear), beyond

    def _present(
        self, record: Record, kind: str, step: int, evidence: tuple[Evidence, ...]
    ) -> Diagnosis:
        motion, relative, _, above, _ = evidence
        texts = {
            "oscillation": (
                f"Since step {step} the samples have kept changing without getting better. Within "
                f"100 steps each moves {motion.observed:.0%} of the distance between two real "
                f"samples, {relative.observed:.0%} of that between two of its own kind."
            ),
            "regression": (
                f"Since step {step} the samples have been further from the data than before, by "
                f"{above.observed:.2f} in energy distance. One sample made over and over is 0.6 to "
                "1 away."
            ),
        }
        signs = compare_balance(record, step, self.weak_auc, self.weak_share, self.lost_gain)
        weak = any(sign.holds for sign in signs)
        cause = "discriminator_too_weak" if weak else None
        text = f"{texts[kind]} {TOO_WEAK}" if weak else texts[kind]
        size = motion.observed if kind == "oscillation" else above.observed
        severity, evidence = float(np.clip(size, 0.1, 1)), evidence + signs
        return Diagnosis(self.condition, "present", text, kind, step, cause, severity, evidence)

    def _divergence(self, record: Record) -> Diagnosis | None:
        """The first value that blew up and has stayed so, if any has."""
        found = [
            (int(signal.steps[at]), name, float(signal.values[at]), gate)
            for name, signal in record.signals.items()
            if signal.values.ndim == 1 and name.startswith(BLOWN)
            for gate, at in [self._blown(name, signal.values)]
            if at is not None
        ]
        if not found:
            return None
        step, name, value, gate = min(found)  # by step, then by name, which is never the same twice
        text = f"Since step {step} {name} has been out of bounds ({value:.3g} then): it blew up."
        evidence = (Evidence(name, value, ">", gate, True, "blew up"),)
        return Diagnosis(self.condition, "present", text, "divergence", step, None, 1.0, evidence)

    def _blown(self, name: str, values: Array) -> tuple[float, int | None]:
        """A signal's limit, and the index since which it is beyond; once is enough for NaN."""
        if name.startswith("gradient/non_finite/"):  # a scaler's first steps overflow by design
            lost = values > 0
            return 0.0, find_onset(persistent_state(lost, ~lost, 3, 3), lost, 3, 3)
        lost = ~np.isfinite(values)
        if lost.any():
            return np.inf, int(np.argmax(lost))
        if name == MAX_ABS or name.startswith("gradient/parameter_norm/"):
            gate = self.max_abs if name == MAX_ABS else self.parameter_growth * float(values[0])
            beyond = (values > gate) & (gate > 0)  # weights that all begin at 0 have no size yet
            return gate, find_onset(persistent_state(beyond, ~beyond), beyond)
        return np.inf, None


def _ratio(level: Array, best: Array) -> Array:
    """Distance over the best one; infinite where the best was no distance at all."""
    return np.asarray(np.divide(level, best, out=np.full(len(level), np.inf), where=best > 0))


def _why_absent(restless: bool, learning: bool, evidence: tuple[Evidence, ...]) -> str:
    motion, relative, turnover, above, ratio = evidence
    if restless and learning:
        return "The samples change much from look to look, but are getting better: it is learning."
    if above.holds and ratio.holds:
        return "The samples were nearer to the data a while ago, but not for long."
    if motion.holds and (relative.holds or turnover.holds):
        return "The samples change much from look to look, but have not done so for long."
    return (
        f"The samples change within bounds: each moves {motion.observed:.2g} times the distance "
        "between two real samples within 100 steps, and they are about as near to the data as ever."
    )
