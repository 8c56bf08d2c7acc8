"""Vanishing gradients: the generator stops learning because no gradient reaches its weights.

What you see: bad samples that do not change. The discriminator's loss is near zero and the
generator's loss is constant. Neither loss is a proof: the samples may improve although the
discriminator is certain.

Why it happens: the gradient is a product along a chain, from the generator's loss to its weights.
The factors are the gradient of the loss at the scores, the gradient of the discriminator at the
samples, the Jacobian of the generator's layers, and the step of the optimizer. One factor has
become practically zero. Under the minimax loss, log(1 - D(G(z))), a discriminator that is certain
is sufficient (Goodfellow et al. 2014, section 3; Arjovsky & Bottou 2017, theorem 2.4).

How it is measured: three conditions must hold together. [A] A factor of the chain is practically
zero. [B] The samples at fixed latents do not move. [C] The samples are far from the data, because
a generator that has converged may rest. The gradient norm alone is not used: it depends on width,
batch size and the scale of the loss, and Adam normalises it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gandiag.diagnosis.definitions import define
from gandiag.diagnosis.diagnosis import (
    Diagnosis,
    Evidence,
    compare_median,
    describe_onset,
    format_short,
)
from gandiag.diagnosis.sequential import FEWEST, Alarm, find_alarm
from gandiag.diagnosis.statistics import recent_median
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

# Newest evaluations in the medians of the evidence: the fewest that raise an alarm.
WINDOW = FEWEST
# First evaluations with which the ratios inside the generator are compared.
EARLY = 5
# Ratios below this number count as zero, also where the early ratios were zero, too.
PRACTICALLY_ZERO = 1e-30

EXPLANATIONS = {
    "saturated_objective": (
        "The discriminator is certain about the generated samples, and the gradient of the "
        "generator's loss at their scores is practically zero."
    ),
    "flat_discriminator": (
        "The discriminator's score hardly depends on its input at the generated samples, so its "
        "gradient gives the generator no direction."
    ),
    "generator_layers": (
        "The gradient reaches the generator's output but vanishes inside its layers: the layers "
        "are saturated, or too many for their initialisation."
    ),
    "optimizer": (
        "The gradient reaches the generator's weights, but its optimizer hardly changes them: the "
        "learning rate is too small, or the optimizer has other parameters."
    ),
}


@dataclass(frozen=True)
class VanishingGradients:
    """No gradient reaches the generator, and its samples stay far from the data."""

    # The loss is saturated below this sum over the batch of |dL_G/dscore|: healthy runs have 0.3 to
    # 0.7, a Wasserstein critic 1, and failing runs 1e-4.
    score_gradient: float = define("vanishing_gradients.score_gradient")
    # The discriminator is flat below this gradient norm at the samples, in units of the standard
    # deviation of its scores per mean distance between two real samples.
    discriminator_gradient: float = define("vanishing_gradients.discriminator_gradient")
    # The discriminator is constant below this relative spread of its scores, near the rounding of
    # 32-bit numbers.
    score_sd: float = define("vanishing_gradients.score_sd")
    # The gradient vanishes inside the generator where a ratio of gradient norms falls below this
    # share of its median at the first 5 evaluations; the ratios depend on the layers' sizes.
    layers: float = define("vanishing_gradients.layers")
    # The optimizer hardly moves the weights below this relative update per step, which is 1 % in
    # 1000 steps.
    update: float = define("vanishing_gradients.update")
    # The samples do not move below this displacement per 100 steps, in units of the mean distance
    # between two real samples: healthy runs have 0.05 to 0.5, failing runs up to 0.002.
    displacement: float = define("vanishing_gradients.displacement")
    # The samples are far from the data above this energy distance, in units of the mean distance
    # between two real samples: healthy runs reach 0.01 to 0.03, and noise has 0.8 to 1.5.
    far: float = define("vanishing_gradients.far")

    condition: ClassVar[str] = "vanishing_gradients"
    needs: ClassVar[frozenset[str]] = frozenset({SCORE_GRADIENT, DISPLACEMENT, ENERGY_DISTANCE})

    def detect(self, record: Record) -> Diagnosis:
        """Combine the three conditions at each evaluation of the displacement."""
        steps, displacement = record[DISPLACEMENT]
        if len(steps) < WINDOW:
            text = f"Too early: {len(steps)} evaluations of the displacement; {WINDOW} are needed."
            return Diagnosis(self.condition, "inconclusive", text)
        factors = self._read_factors(record, steps)
        distance = record.at(ENERGY_DISTANCE, steps)
        alarm, beyond, known = self._find_alarm(factors, displacement, distance)
        evidence = (
            *(
                compare_median(each.signal, each.values, "<", each.threshold, each.meaning, WINDOW)
                for each in factors
            ),
            compare_median(
                DISPLACEMENT,
                displacement,
                "<",
                self.displacement,
                "displacement of the samples per 100 steps",
                WINDOW,
            ),
            compare_median(ENERGY_DISTANCE, distance, ">", self.far, evaluations=WINDOW),
        )
        if alarm.onset is not None:
            onset, first = int(steps[alarm.onset]), int(steps[0])
            return self._report_present(factors, beyond, onset, first, evidence)
        if not known[-WINDOW:].any():
            text = (
                "The newest gradients, displacements or distances to the data are not finite, so "
                "the failure cannot be evaluated."
            )
            return Diagnosis(self.condition, "inconclusive", text, evidence=evidence)
        return Diagnosis(self.condition, "absent", _explain_absent(evidence), evidence=evidence)

    def _find_alarm(
        self, factors: tuple[_Factor, ...], displacement: Array, distance: Array
    ) -> tuple[Alarm, Bools, Bools]:
        """The test of the failure, evaluations that show it, and evaluations that are complete."""
        vanished = np.logical_or.reduce([each.values < each.threshold for each in factors])
        beyond = vanished & (displacement < self.displacement) & (distance > self.far)
        # The update is known even where no gradient is, so it cannot complete an evaluation.
        known = np.logical_or.reduce(
            [np.isfinite(each.values) for each in factors if each.cause != "optimizer"]
        )
        known &= np.isfinite(displacement) & np.isfinite(distance)
        return find_alarm(beyond, known), beyond, known

    def _read_factors(self, record: Record, steps: NDArray[np.int64]) -> tuple[_Factor, ...]:
        """The factors from the loss to the generator's weights, in that order.

        The ratios inside the generator depend on the sizes of its layers, so they are compared with
        their own first values.
        """
        factors = [
            _Factor(cause, signal, record.at(signal, steps), threshold)
            for cause, signal, threshold in (
                ("saturated_objective", SCORE_GRADIENT, self.score_gradient),
                ("flat_discriminator", DISCRIMINATOR_GRADIENT, self.discriminator_gradient),
                ("flat_discriminator", SCORE_SD, self.score_sd),
            )
        ]
        for signal in (BACKPROP_GAIN, FIRST_TO_LAST):
            if len(record[signal].values):
                values = record.at(signal, steps)
                threshold = self._early_threshold(record[signal].values)
                factors.append(_Factor("generator_layers", signal, values, threshold))
        if len(record[GENERATOR_UPDATE].steps):
            update = record.at(GENERATOR_UPDATE, steps)
            meaning = "relative update of G's weights"
            factors.append(_Factor("optimizer", GENERATOR_UPDATE, update, self.update, meaning))
        return tuple(factors)

    def _early_threshold(self, values: Array) -> float:
        early = values[:EARLY]
        early = early[np.isfinite(early)]  # a gradient of 0 makes its ratios NaN
        median = float(np.median(early)) if len(early) else 0.0
        return max(self.layers * median, PRACTICALLY_ZERO)

    def _report_present(
        self,
        factors: tuple[_Factor, ...],
        beyond: Bools,
        step: int,
        first: int,
        evidence: tuple[Evidence, ...],
    ) -> Diagnosis:
        cause = _find_first_vanished(factors, beyond)
        moved = format_short(evidence[-2].observed)
        summary = (
            f"{describe_onset(step, first)} the samples have hardly changed and are far from the "
            f"data: within 100 steps they move {moved} times the mean distance between two real "
            "samples. "
            f"{EXPLANATIONS[cause]}"
        )
        severity = _compute_severity(factors)
        return Diagnosis(self.condition, "present", summary, cause, step, cause, severity, evidence)


class _Factor(NamedTuple):
    """One factor of the gradient at each evaluation.

    Attributes:
        cause: name of the cause where this factor has vanished.
        signal: name of the signal.
        values: ``(n,)``.
        threshold: below it the factor is practically zero.
        meaning: name for a reader; empty for the signal's label.
    """

    cause: str
    signal: str
    values: Array
    threshold: float
    meaning: str = ""


def _find_first_vanished(factors: tuple[_Factor, ...], beyond: Bools) -> str:
    """Cause of the first factor that has vanished at most of the newest failing evaluations.

    A vanished factor makes the later ones vanish, too, so the first one is the cause.
    """
    newest = np.flatnonzero(beyond)[-WINDOW:]
    vanished = [
        each.cause for each in factors if (each.values[newest] < each.threshold).mean() > 0.5
    ]
    return vanished[0] if vanished else factors[0].cause


def _compute_severity(factors: tuple[_Factor, ...]) -> float:
    """A quarter for each decade of the smallest factor below its threshold, in [0.1, 1]."""
    ratios = [
        recent_median(each.values, WINDOW) / each.threshold for each in factors if each.threshold
    ]
    smallest = min((ratio for ratio in ratios if np.isfinite(ratio)), default=1.0)
    return float(np.clip(-np.log10(max(smallest, 1e-12)) / 4, 0.1, 1.0))


def _explain_absent(evidence: tuple[Evidence, ...]) -> str:
    *factors, displacement, distance = evidence
    has_vanished = any(each.holds for each in factors)
    if displacement.holds and distance.holds and not has_vanished:
        return (
            "A gradient reaches the generator, but its samples do not change and are far from the "
            "data. See the diagnosis of mode collapse, and check the generator's learning rate."
        )
    if not has_vanished:
        return "A gradient reaches the generator: no factor of it is practically zero."
    if not displacement.holds:
        return "A factor of the generator's gradient is practically zero, but the samples change."
    if not distance.holds:
        return "The samples do not change, but they are close to the data."
    return "The gradient is practically zero at the newest evaluations, but not for long enough."
