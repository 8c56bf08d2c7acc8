"""Non-convergence: the game does not settle, falls back, or blows up.

What you see: samples that keep changing into something else without getting better; or sheets that
were better a while ago; or NaN. The losses may sit exactly at their "equilibrium" values meanwhile.

Why it happens: simultaneous gradient steps on a two-player game need not approach its equilibrium.
Around it they rotate (Mescheder et al. 2018 show it exactly for one parameter each), and momentum,
large steps, or one player outpacing the other turn rotation into cycles or divergence.

How it is measured: in the space of the samples, never by the losses. *Oscillation*: the histogram
of the samples over the data's cells turns over from look to look far more than two draws of real
data would, and the distance to the data does not fall. *Regression*: that distance was clearly
smaller before. *Divergence*: values that are not finite, samples far outside the data's range, or
parameters that grow tenfold.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from gandiag.diagnosis import Diagnosis, Evidence, weigh
from gandiag.record import Record
from gandiag.series import Array, Bools, align, mann_kendall, onset_of, persistent

__all__ = ["NonConvergence"]

BINS = "diversity/bins/generator"
ENERGY = "diversity/energy/generator"
MOTION = "motion/fixed/generator"
EXTENT = "diversity/extent/generator"
BLOWN = ("loss/value/", "gradient/parameters/", "gradient/non_finite/", EXTENT)  # never NaN if sane


@dataclass(frozen=True)
class NonConvergence:
    """The samples keep changing without getting better, got worse, or blew up."""

    turnover: float = 0.3  # histogram change between looks less its null, above: hopping .6-1
    motion: float = 0.25  # real scales per 100 steps, above: a change of labels alone is none
    window: int = 10  # looks over which turnover is averaged and improvement is sought
    trend: float = 0.05  # p of Mann & Kendall's test, below: the distance to the data does fall
    worse: float = 1.5  # distance to the data over its best, above (17 of 64 public runs end so)
    worse_by: float = 0.05  # and above the best by this share of the mean real distance
    extent: float = 10.0  # largest sample value over the real data's, above
    growth: float = 10.0  # of the norm of a player's parameters since the first look, above
    warm_up: int = 500  # generator steps before which only divergence is judged

    condition: ClassVar[str] = "non_convergence"
    needs: ClassVar[frozenset[str]] = frozenset({BINS, ENERGY, MOTION})

    def detect(self, record: Record) -> Diagnosis:
        """Look for divergence at once, for oscillation and regression after the warm-up."""
        blown = self._divergence(record)
        if blown is not None:
            return blown
        steps, energy = record[ENERGY]
        if len(steps) < self.window or steps[-1] < self.warm_up:
            summary = (
                f"Too early: {len(steps)} looks at the samples until step {record.last_step}. "
                f"Convergence is judged after {self.window} looks and {self.warm_up} steps."
            )
            return Diagnosis(self.condition, "inconclusive", summary)
        turnover = self._turnover(record, steps)
        motion = record.at(MOTION, steps)
        above = _smooth(energy) - np.fmin.accumulate(_smooth(energy))
        evidence = (
            weigh(BINS, turnover, ">", self.turnover, "histogram change from look to look", 10),
            weigh(MOTION, motion, ">", self.motion, "motion of the samples, per 100 steps", 10),
            weigh(ENERGY, above, ">", self.worse_by, "distance to the data above its best"),
        )
        states = {
            "oscillation": self._swinging(steps, turnover, motion, energy),
            "regression": self._fallen(steps, energy),
        }
        for kind, (state, beyond, window) in states.items():
            onset = onset_of(state, beyond, window)
            if onset is not None:
                return self._present(kind, int(steps[onset]), evidence)
        summary = "The samples settle: they change little from look to look, or are getting better."
        return Diagnosis(self.condition, "absent", summary, evidence=evidence)

    def _turnover(self, record: Record, steps: NDArray[np.int64]) -> Array:
        """Total variation between the histograms of successive looks, less its null."""
        bins = record[BINS].values
        change = np.abs(np.diff(bins, axis=0)).sum(1) / 2 - record.facts.get("turnover_null", 0.0)
        return align(steps, record[BINS].steps[1:], change)

    def _swinging(
        self, steps: NDArray[np.int64], turnover: Array, motion: Array, energy: Array
    ) -> tuple[Bools, Bools, int]:
        """Where a window of looks keeps turning over, moves, and does not get better."""
        level = np.full(len(steps), np.nan)
        beyond = np.zeros(len(steps), dtype=bool)
        for end in range(self.window, len(steps) + 1):
            part = slice(end - self.window, end)
            level[end - 1] = np.nanmean(turnover[part]) if np.isfinite(turnover[part]).any() else 0
            if level[end - 1] > self.turnover and np.nanmedian(motion[part]) > self.motion:
                tau, p = mann_kendall(energy[part])
                beyond[end - 1] = not (tau < 0 and p < self.trend)
        beyond &= steps >= self.warm_up
        state = persistent(beyond, level < 0.8 * self.turnover, enter=2, window=2)
        return state, turnover > self.turnover, self.window

    def _fallen(self, steps: NDArray[np.int64], energy: Array) -> tuple[Bools, Bools, int]:
        """Where the distance to the data is clearly above the best so far."""
        smooth = _smooth(energy)
        best = np.fmin.accumulate(smooth)
        beyond = (smooth > self.worse * best) & (smooth > best + self.worse_by)
        beyond &= steps >= self.warm_up
        clear = smooth < 0.8 * self.worse * best
        return persistent(beyond, clear | (smooth < best + 0.8 * self.worse_by), 5, 6), beyond, 6

    def _present(self, kind: str, step: int, evidence: tuple[Evidence, ...]) -> Diagnosis:
        turnover, motion, above = evidence
        texts = {
            "oscillation": (
                f"Since step {step} the samples have kept changing without getting better: from "
                f"one look to the next {turnover.observed:.0%} of them turn into something else "
                f"(beyond chance), moving {motion.observed:.2g} real scales per 100 steps."
            ),
            "regression": (
                f"Since step {step} the samples have been further from the data than before, by "
                f"{above.observed:.0%} of the distance between two real samples."
            ),
        }
        size = turnover.observed if kind == "oscillation" else above.observed
        severity = float(np.clip(size, 0.1, 1))
        return Diagnosis(
            self.condition, "present", texts[kind], kind, step, None, severity, evidence
        )

    def _divergence(self, record: Record) -> Diagnosis | None:
        """The first value that blew up, if any did."""
        first: tuple[int, Evidence] | None = None
        for name, signal in record.signals.items():
            if signal.values.ndim > 1 or not name.startswith(BLOWN):
                continue
            gate, looks = self._gate(name, signal.values)
            if looks.any():
                at = int(np.argmax(looks))
                step = int(signal.steps[at])
                if first is None or step < first[0]:
                    seen = float(signal.values[at])
                    first = step, Evidence(name, seen, ">", gate, True, "value that blew up")
        if first is None:
            return None
        step, evidence = first
        text = f"At step {step} {evidence.signal} was {evidence.observed:.3g}: the run blew up."
        return Diagnosis(
            self.condition, "present", text, "divergence", step, None, 1.0, (evidence,)
        )

    def _gate(self, name: str, values: Array) -> tuple[float, Bools]:
        """The limit of a signal, and where it lies beyond it or is not finite."""
        if name == EXTENT:
            return self.extent, ~(values <= self.extent)
        if name.startswith("gradient/parameters/"):
            gate = self.growth * float(values[0])
            return gate, ~(values <= gate)
        if name.startswith("gradient/non_finite/"):
            return 0.0, values > 0
        return np.inf, ~np.isfinite(values)


def _smooth(values: Array) -> Array:
    """Median of each value with the four before it."""
    return np.array([np.nanmedian(values[max(0, i - 4) : i + 1]) for i in range(len(values))])
