"""Non-convergence: the game does not settle, falls back, or blows up.

What you see: samples that keep changing into something else without getting better; or sheets that
were better a while ago; or NaN. The losses may sit exactly at their "equilibrium" values meanwhile.

Why it happens: simultaneous gradient steps on a two-player game need not approach its equilibrium.
Around it they rotate (Mescheder et al. 2018 show it exactly for one parameter each), and momentum,
large steps, or one player outpacing the other turn rotation into cycles or divergence.

How it is measured: in the space of the samples, never by the losses. *Oscillation*: within
100 steps the sample of a fixed latent moves as far as from one sample to another, or the histogram
over the data's cells turns over far more than between two draws of real data, while the samples get
neither closer to the data nor more diverse. *Regression*: that distance was clearly
smaller before. *Divergence*: values that are not finite, samples far outside the data's range, or
parameters that grow tenfold.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from gandiag.diagnosis import Diagnosis, Evidence, weigh
from gandiag.record import Record
from gandiag.series import Array, Bools, align, onset_of, persistent, rise

__all__ = ["NonConvergence"]

BINS = "diversity/bins/generator"
ENERGY = "diversity/energy/generator"
MOTION = "motion/fixed/generator"
RELATIVE = "motion/relative/generator"
EFFECTIVE = "diversity/effective_bins/generator"
EXTENT = "diversity/extent/generator"
LEARNING = 20  # looks over which a trend is sought
BLOWN = ("loss/value/", "gradient/parameters/", "gradient/non_finite/", EXTENT)  # never NaN if sane


@dataclass(frozen=True)
class NonConvergence:
    """The samples keep changing without getting better, got worse, or blew up."""

    motion: float = 0.25  # real scales per 100 steps, above, and ...
    relative: float = 0.9  # ... over their own spread, above: healthy .1-.6, hopping 2-20; or
    turnover: float = 0.3  # ... histogram change between looks less its null, above: hopping .6-1
    window: int = 10  # looks over which these are taken
    nearer: float = 0.2  # fall of the distance to the data over 20 looks, above: it learns; or ...
    gain: float = 0.05  # ... rise of the diversity over 20 looks, above
    worse: float = 1.5  # distance to the data over its best, above (17 of 64 public runs end so)
    worse_by: float = 0.05  # and above the best by this share of the mean real distance
    extent: float = 10.0  # largest sample value over the real data's, above
    growth: float = 10.0  # of the norm of a player's parameters since the first look, above
    warm_up: int = 500  # generator steps before which only divergence is judged

    condition: ClassVar[str] = "non_convergence"
    needs: ClassVar[frozenset[str]] = frozenset({BINS, ENERGY, EFFECTIVE, MOTION, RELATIVE})

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
        motion, relative = record.at(MOTION, steps), record.at(RELATIVE, steps)
        above = _smooth(energy) - np.fmin.accumulate(_smooth(energy))
        evidence = (
            weigh(MOTION, motion, ">", self.motion, "motion of the samples, per 100 steps", 10),
            weigh(RELATIVE, relative, ">", self.relative, "the same over their own spread", 10),
            weigh(BINS, turnover, ">", self.turnover, "histogram change from look to look", 10),
            weigh(ENERGY, above, ">", self.worse_by, "distance to the data above its best"),
        )
        states = {
            "oscillation": self._swinging(record, steps, turnover),
            "regression": self._fallen(steps, energy),
        }
        for kind, (state, beyond) in states.items():
            onset = onset_of(state, beyond)
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
        self, record: Record, steps: NDArray[np.int64], turnover: Array
    ) -> tuple[Bools, Bools]:
        """Where the samples keep turning into others and get neither closer nor more diverse."""
        motion = _rolling(record.at(MOTION, steps), self.window)
        relative = _rolling(record.at(RELATIVE, steps), self.window)
        swaps = _rolling(turnover, self.window, np.nanmean)
        restless = (motion > self.motion) & ((relative > self.relative) | (swaps > self.turnover))
        beyond = restless & ~self._learning(record, steps) & (steps >= self.warm_up)
        calm = (relative < 0.8 * self.relative) & (swaps < 0.8 * self.turnover)
        calm |= motion < 0.8 * self.motion
        return persistent(beyond, calm), restless

    def _learning(self, record: Record, steps: NDArray[np.int64]) -> Bools:
        """Where the samples get clearly nearer to the data, or more diverse."""
        energy = record[ENERGY].values
        level = _rolling(energy, LEARNING)
        nearer = rise(energy, LEARNING) < -self.nearer * level
        return nearer | (rise(record.at(EFFECTIVE, steps), LEARNING) > self.gain)

    def _fallen(self, steps: NDArray[np.int64], energy: Array) -> tuple[Bools, Bools]:
        """Where the distance to the data is clearly above the best so far."""
        smooth = _smooth(energy)
        best = np.fmin.accumulate(smooth)
        beyond = (smooth > self.worse * best) & (smooth > best + self.worse_by)
        clear = (smooth < 0.8 * self.worse * best) | (smooth < best + 0.8 * self.worse_by)
        return persistent(beyond & (steps >= self.warm_up), clear), beyond

    def _present(self, kind: str, step: int, evidence: tuple[Evidence, ...]) -> Diagnosis:
        motion, relative, _, above = evidence
        texts = {
            "oscillation": (
                f"Since step {step} the samples have kept changing without getting better. Within "
                f"100 steps each moves {motion.observed:.2g} times the distance between two real "
                f"samples, {relative.observed:.2g} times that between two of its own kind."
            ),
            "regression": (
                f"Since step {step} the samples have been further from the data than before, by "
                f"{above.observed:.0%} of the distance between two real samples."
            ),
        }
        size = motion.observed if kind == "oscillation" else above.observed
        severity = float(np.clip(size, 0.1, 1))
        return Diagnosis(
            self.condition, "present", texts[kind], kind, step, None, severity, evidence
        )

    def _divergence(self, record: Record) -> Diagnosis | None:
        """The first value that blew up and has stayed so, if any has."""
        found = [
            (
                int(signal.steps[onset]),
                Evidence(name, float(signal.values[onset]), ">", gate, True, "blew up"),
            )
            for name, signal in record.signals.items()
            if signal.values.ndim == 1 and name.startswith(BLOWN)
            for gate, onset in [self._blown(name, signal.values)]
            if onset is not None
        ]
        if not found:
            return None
        step, evidence = min(found, key=lambda item: item[0])
        text = (
            f"Since step {step} {evidence.signal} has been out of all bounds "
            f"({evidence.observed:.3g} then): the run blew up."
        )
        return Diagnosis(
            self.condition, "present", text, "divergence", step, None, 1.0, (evidence,)
        )

    def _blown(self, name: str, values: Array) -> tuple[float, int | None]:
        """A signal's limit, and the index since which it is beyond; once is enough for NaN."""
        if name.startswith("gradient/non_finite/"):
            lost, gate = values > 0, 0.0
        else:
            lost, gate = ~np.isfinite(values), np.inf
        if lost[-3:].all() or (lost.any() and not name.startswith("gradient/non_finite/")):
            return gate, int(np.argmax(lost))
        if name == EXTENT or name.startswith("gradient/parameters/"):
            gate = self.extent if name == EXTENT else self.growth * float(values[0])
            beyond = values > gate
            return gate, onset_of(persistent(beyond, ~beyond), beyond)
        return gate, None


def _rolling(values: Array, window: int, statistic: Callable[[Array], Any] = np.nanmedian) -> Array:
    """A statistic of each value with those before it in the window."""
    taken = np.full(len(values), np.nan)
    for end in range(1, len(values) + 1):
        part = values[max(0, end - window) : end]
        if np.isfinite(part).any():
            taken[end - 1] = statistic(part)
    return taken


def _smooth(values: Array) -> Array:
    """Median of each value with the four before it."""
    return np.array([np.nanmedian(values[max(0, i - 4) : i + 1]) for i in range(len(values))])
