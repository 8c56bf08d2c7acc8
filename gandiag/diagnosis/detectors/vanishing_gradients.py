"""Vanishing gradients: the generator stands still because no learning signal reaches it.

What you see: garbage that does not change. The discriminator's loss is near zero and the
generator's loss flat. Neither is proof: a discriminator may be sure while the samples improve.

Why it happens: on its way from the loss to the generator's weights the signal passes the
objective's slope at the scores, the discriminator's slope at the samples, the generator's own
layers, and its optimizer; one of them has become flat. Under the minimax objective,
log(1 - D(G(z))), a sure discriminator is enough (Goodfellow et al. 2014, section 3; Arjovsky &
Bottou 2017, theorem 2.4).

How it is measured: three things must hold together. [A] A link of that chain is flat. [B] The
samples at fixed latents do not move. [C] The samples are still far from the data: a generator that
has arrived may rest. The size of a gradient alone is never asked: it depends on width, batch and
loss scale, and Adam hides it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gandiag.diagnosis.diagnosis import Diagnosis, Evidence, compare_median
from gandiag.diagnosis.statistics import find_onset, persistent_state, recent_median
from gandiag.monitoring.signals import (
    BACKPROP_GAIN,
    DISCRIMINATOR_GRADIENT,
    DISPLACEMENT,
    ENERGY_DISTANCE,
    FIRST_TO_LAST,
    GENERATOR_UPDATE,
    SCORE_GRADIENT,
    SCORE_SD,
)
from gandiag.records.arrays import Array, Bools
from gandiag.records.record import Record

ZERO = 1e-30  # a ratio below it is none, also where it was none from the first look

EXPLANATIONS = {
    "saturated_objective": (
        "The discriminator is so sure of the fakes that the generator's objective is flat at their "
        "scores: almost nothing of the loss's slope is left."
    ),
    "flat_discriminator": (
        "The discriminator's score hardly depends on its input at the fakes, so it tells the "
        "generator nothing about where to go."
    ),
    "generator_layers": (
        "The signal reaches the generator's output but dies on its way through the layers: they "
        "are saturated, or too many for their initialisation."
    ),
    "optimizer": (
        "The signal reaches the generator's weights, but its optimizer hardly moves them: the "
        "learning rate is too small, or it steps other parameters."
    ),
}


@dataclass(frozen=True)
class VanishingGradients:
    """No learning signal reaches the generator, which stands still short of the data."""

    score_gradient: float = 1e-2  # sum |dL_G/dscore|, below: healthy 0.3-0.7, a critic 1, dying 1e-4
    discriminator_gradient: float = 1e-2  # D's slope at the fakes in units of score spread and data scale, below
    score_sd: float = 1e-6  # relative spread of D's scores, below: D says the same to everything
    layers: float = 1e-3  # G's inner gradient ratios over their own early median, below
    update: float = 1e-5  # distance of G's weights a step over their norm, below: 1 % in 1000 steps
    displacement: float = 5e-3  # real scales per 100 steps, below: healthy 0.05-0.5, frozen 0-0.002
    far: float = 0.1  # energy distance in real scales, above: healthy .01-.03, noise .8-1.5
    enter: int = 3  # looks of the last 4 that must agree; effects are decades wide

    condition: ClassVar[str] = "vanishing_gradients"
    needs: ClassVar[frozenset[str]] = frozenset({SCORE_GRADIENT, DISPLACEMENT, ENERGY_DISTANCE})

    def detect(self, record: Record) -> Diagnosis:
        """Judge each look at the generator's motion with what was measured around it."""
        steps, motion = record[DISPLACEMENT]
        if len(steps) < 4:
            text = f"Only {len(steps)} looks at the generator's motion so far; 4 are needed."
            return Diagnosis(self.condition, "inconclusive", text)
        links = self._links(record, steps)
        energy = record.at(ENERGY_DISTANCE, steps)
        flat = np.logical_or.reduce([link.values < link.gate for link in links])
        nearly = np.logical_or.reduce([link.values < 3 * link.gate for link in links])
        signal = [np.isfinite(link.values) for link in links if link.cause != "optimizer"]
        known = np.logical_or.reduce(signal)
        known &= np.isfinite(motion) & np.isfinite(energy)
        beyond = flat & (motion < self.displacement) & (energy > self.far)
        near = nearly & (motion < 2 * self.displacement) & (energy > 0.8 * self.far)
        onset = find_onset(persistent_state(beyond, known & ~near, self.enter, 4), beyond, self.enter, 4)
        evidence = (
            *(
                compare_median(link.signal, link.values, "<", link.gate, link.meaning, 4)
                for link in links
            ),
            compare_median(
                DISPLACEMENT, motion, "<", self.displacement, "motion of the samples, per 100 steps", 4
            ),
            compare_median(
                ENERGY_DISTANCE, energy, ">", self.far, "distance of the samples from the data", 4
            ),
        )
        if onset is None and not known[-4:].any():
            text = (
                "Of late the slopes, the motion or the distance to the data are no finite numbers."
            )
            return Diagnosis(self.condition, "inconclusive", text, evidence=evidence)
        if onset is None:
            return Diagnosis(self.condition, "absent", _why_absent(evidence), evidence=evidence)
        cause = _first_flat(links, beyond)
        step = int(steps[onset])
        summary = (
            f"Since step {step} the generator has stood still far from the data: within 100 steps "
            f"its samples move {evidence[-2].observed:.2g} times the distance between two real "
            f"samples. {EXPLANATIONS[cause]}"
        )
        return Diagnosis(
            self.condition, "present", summary, cause, step, cause, _severity(links), evidence
        )

    def _links(self, record: Record, steps: NDArray[np.int64]) -> tuple[_Link, ...]:
        """The chain from the loss to G's weights, each link with its gate.

        What lies inside G is compared with its own beginning: such ratios depend on the layers'
        sizes.
        """
        found = [
            _Link(
                "saturated_objective",
                SCORE_GRADIENT,
                record.at(SCORE_GRADIENT, steps),
                self.score_gradient,
                "objective's slope at the scores",
            ),
            _Link(
                "flat_discriminator",
                DISCRIMINATOR_GRADIENT,
                record.at(DISCRIMINATOR_GRADIENT, steps),
                self.discriminator_gradient,
                "D's slope at the fakes",
            ),
            _Link(
                "flat_discriminator",
                SCORE_SD,
                record.at(SCORE_SD, steps),
                self.score_sd,
                "spread of D's scores",
            ),
        ]
        for signal, meaning in (
            (BACKPROP_GAIN, "gradient at G's weights over that at its output"),
            (FIRST_TO_LAST, "gradient at G's first layer over that at its last"),
        ):
            values = record.at(signal, steps)
            early = record[signal].values[:5]
            early = early[np.isfinite(early)]  # a slope that is 0 at first makes its ratios NaN
            if not len(record[signal].values):
                continue
            gate = max(self.layers * float(np.median(early)) if len(early) else 0.0, ZERO)
            found.append(_Link("generator_layers", signal, values, gate, meaning))
        if len(record[GENERATOR_UPDATE].steps):
            moved = record.at(GENERATOR_UPDATE, steps)
            found.append(
                _Link("optimizer", GENERATOR_UPDATE, moved, self.update, "motion of G's weights")
            )
        return tuple(found)


class _Link(NamedTuple):
    """One link of the chain at each look: what was seen, and below what it is flat."""

    cause: str
    signal: str
    values: Array
    gate: float
    meaning: str


def _first_flat(links: tuple[_Link, ...], beyond: Bools) -> str:
    """The first link of the chain that is flat at most of the newest judged looks."""
    judged = np.flatnonzero(beyond)[-4:]
    flat = [link.cause for link in links if (link.values[judged] < link.gate).mean() > 0.5]
    return flat[0] if flat else links[0].cause


def _severity(links: tuple[_Link, ...]) -> float:
    """Decades by which the flattest link lies below its gate, a quarter each, in [0.1, 1]."""
    depths = [recent_median(link.values, 4) / link.gate for link in links if link.gate]
    worst = min((depth for depth in depths if np.isfinite(depth)), default=1.0)
    return float(np.clip(-np.log10(max(worst, 1e-12)) / 4, 0.1, 1.0))


def _why_absent(evidence: tuple[Evidence, ...]) -> str:
    *links, motion, energy = evidence
    flat = any(link.holds for link in links)
    if motion.holds and energy.holds and not flat:
        return (
            "A learning signal reaches the generator, yet its samples stand still far from the "
            "data. Look at mode collapse, and at its learning rate."
        )
    if not flat:
        return "A learning signal reaches the generator: no link of the chain is flat."
    if not motion.holds:
        return "A link of the chain is weak, but the samples still move."
    if not energy.holds:
        return "The generator rests, but close to the data."
    return "The signal is weak of late, but not for long enough to speak of a failure."
