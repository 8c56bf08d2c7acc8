"""Vanishing gradients: the generator stands still because no learning signal reaches it.

What you see: garbage that does not change. The discriminator's loss is near zero and the
generator's loss flat. Neither is proof: a discriminator may be sure while the samples improve.

Why it happens: on its way from the loss to the generator's weights the signal passes the
objective's slope at the scores, the discriminator's slope at the samples, and the generator's own
layers; one of them has become flat. Under the minimax objective, log(1 - D(G(z))), a sure
discriminator is enough (Goodfellow et al. 2014, section 3; Arjovsky & Bottou 2017, theorem 2.4).

How it is measured: three things must hold together. [A] A link of that chain is flat. [B] The
samples at fixed latents do not move. [C] The samples are still far from the data: a generator that
has arrived may rest. The size of a gradient alone is never asked: it depends on width, batch and
loss scale, and Adam hides it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from gandiag.diagnosis import Diagnosis, Evidence, weigh
from gandiag.record import Record
from gandiag.series import Array, Bools, onset_of, persistent

__all__ = ["VanishingGradients"]

STORY = {
    "saturated_objective": (
        "The discriminator is so sure of the fakes that the generator's objective is flat at their "
        "scores: almost nothing of the loss's slope is left."
    ),
    "flat_discriminator": (
        "The discriminator's score hardly depends on its input at the fakes, so it tells the "
        "generator nothing about where to go."
    ),
    "generator_layers": (
        "The signal reaches the generator's output but dies on the way to its first layers."
    ),
}


@dataclass(frozen=True)
class VanishingGradients:
    """No learning signal reaches the generator, which stands still short of the data."""

    slope: float = 1e-2  # sum |dL_G/dscore|, below: healthy 0.3-0.7, a critic 1, dying 1e-4
    critic: float = 1e-2  # D's slope at the fakes in units of score spread and data scale, below
    constant: float = 1e-6  # relative spread of D's scores, below: D says the same to everything
    layers: float = 1e-3  # first-to-last gradient ratio, below (AutoTrainer: 1e-3), and ...
    layers_drop: float = 1e-2  # ... below this share of its own early median
    motion: float = 5e-3  # real scales per 100 steps, below: healthy 0.05-0.5, frozen 0-0.002
    coverage: float = 0.5  # of the null, below: short of the data
    enter: int = 3  # probes of the last 4 that must agree; effects are decades wide

    condition: ClassVar[str] = "vanishing_gradients"
    needs: ClassVar[frozenset[str]] = frozenset(
        {"slope/score/generator", "motion/fixed/generator", "diversity/coverage/generator"}
    )

    def detect(self, record: Record) -> Diagnosis:
        """Judge each look at the generator's motion with what was measured around it."""
        motion = record["motion/fixed/generator"]
        if len(motion.steps) < 4:
            return _too_early(len(motion.steps))
        links = self._links(record, motion.steps)
        coverage = record.at("diversity/coverage/generator", motion.steps)
        dead = np.logical_or.reduce([values < gate for values, gate in links.values()])
        nearly = np.logical_or.reduce([values < 3 * gate for values, gate in links.values()])
        beyond = dead & (motion.values < self.motion) & (coverage < self.coverage)
        near = nearly & (motion.values < 2 * self.motion) & (coverage < 1.2 * self.coverage)
        state = persistent(beyond, ~near, enter=self.enter, window=4)
        evidence = self._evidence(links, motion.values, coverage)
        onset = onset_of(state, beyond, window=4)
        if onset is None:
            return Diagnosis(self.condition, "absent", _why_absent(evidence), evidence=evidence)
        cause = self._cause(links, beyond)
        step = int(motion.steps[onset])
        summary = (
            f"Since step {step} the generator has stood still "
            f"({evidence[-2].observed:.2g} real scales per 100 steps) short of the data. "
            f"{STORY[cause]}"
        )
        slope = max(evidence[0].observed, 1e-12) / self.slope
        severity = float(np.clip(-np.log10(slope) / 4, 0.1, 1.0))
        return Diagnosis(self.condition, "present", summary, cause, step, cause, severity, evidence)

    def _links(self, record: Record, steps: NDArray[np.int64]) -> dict[str, tuple[Array, float]]:
        """By signal, its medians between the looks, and the gate below which the link is dead."""
        links = {"slope/score/generator": self.slope, "slope/critic/generator": self.critic}
        links["slope/score_spread/generator"] = self.constant
        found = {name: (record.at(name, steps), gate) for name, gate in links.items()}
        ratio = record.at("gradient/first_to_last/generator", steps)
        early = ratio[np.isfinite(ratio)][:5]
        gate = min(self.layers, self.layers_drop * float(np.median(early))) if len(early) else 0.0
        found["gradient/first_to_last/generator"] = (ratio, gate)
        return found

    def _cause(self, links: dict[str, tuple[Array, float]], beyond: Bools) -> str:
        """The first link of the chain that is dead in most of the judged probes."""
        judged = np.flatnonzero(beyond)[-4:]
        names = ("saturated_objective", "flat_discriminator", "flat_discriminator")
        for name, (values, gate) in zip((*names, "generator_layers"), links.values(), strict=True):
            if (values[judged] < gate).mean() > 0.5:
                return name
        return "saturated_objective"

    def _evidence(
        self, links: dict[str, tuple[Array, float]], motion: Array, coverage: Array
    ) -> tuple[Evidence, ...]:
        meanings = (
            "slope of the generator's objective at the scores",
            "slope of the discriminator at the fakes",
            "spread of the discriminator's scores",
            "gradient at the generator's first layer over that at its last",
        )
        rows = [
            (name, values, gate, text)
            for (name, (values, gate)), text in zip(links.items(), meanings, strict=True)
        ]
        rows.append(
            ("motion/fixed/generator", motion, self.motion, "motion of the samples, per 100 steps")
        )
        rows.append(
            (
                "diversity/coverage/generator",
                coverage,
                self.coverage,
                "share of the real data's neighbourhoods that hold a sample, over its null",
            )
        )
        return tuple(
            weigh(name, values, "<", gate, text, looks=4) for name, values, gate, text in rows
        )


def _why_absent(evidence: tuple[Evidence, ...]) -> str:
    *links, motion, coverage = evidence
    if not any(link.holds for link in links):
        return "A learning signal reaches the generator: no link of the chain is flat."
    if not motion.holds:
        return "A link of the chain is weak, but the samples still move."
    if not coverage.holds:
        return "The generator rests, but it covers the data."
    return "The signal is weak of late, but not for long enough to speak of a failure."


def _too_early(looks: int) -> Diagnosis:
    return Diagnosis(
        "vanishing_gradients",
        "inconclusive",
        f"Only {looks} looks at the generator's motion so far; 4 are needed.",
    )
