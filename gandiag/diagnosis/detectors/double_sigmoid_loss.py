"""Double sigmoid in a log: the two losses keep to the bounds of a sigmoid that is applied twice.

What you see: the discriminator's loss falls to 1.006 and no further, and the generator's loss stays
between 0.313 and 0.693. (With the mean of D's two terms in place of their sum, D's floor is 0.503.)

Why it happens: the discriminator ends in a sigmoid, and the loss applies another one, as
`BCEWithLogitsLoss` does. The second sigmoid sees probabilities between 0 and 1 and gives values
between 0.5 and 0.731. So the term of real samples cannot fall below ln(1 + 1/e) = 0.313, that of
generated samples not below ln 2 = 0.693, and all gradients are small.

How it is measured: these bounds hold for each sample, so for each batch. A single row beyond them
excludes the bug. It is present if no row is beyond them and the discriminator's loss is nearer to
its floor than to its level at chance. There a healthy generator's loss is above 0.693: a
discriminator that is better than chance gives generated samples less than one half.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from gandiag.diagnosis.detectors._discriminators import evaluate_each_discriminator
from gandiag.diagnosis.diagnosis import About, Diagnosis, Evidence
from gandiag.diagnosis.statistics import recent_median
from gandiag.monitoring.signals import DISCRIMINATOR_LOSS, GENERATOR_LOSS
from gandiag.records.record import Record

# Cross-entropy of the two ends of sigmoid([0, 1]) = [1/2, e/(1 + e)], for label 1.
LOWEST, HIGHEST = math.log(1 + math.exp(-1)), math.log(2)
FLOOR = LOWEST + HIGHEST  # of D's loss: 1.0064
CHANCE = 2 * math.log(2)
ADVICE = (
    "Remove the last sigmoid from the discriminator and keep the loss for logits "
    "(BCEWithLogitsLoss), or keep the sigmoid and use the loss for probabilities (BCELoss)."
)


@dataclass(frozen=True)
class DoubleSigmoidLoss:
    """Both losses keep to the bounds that cross-entropy has if a sigmoid is applied twice."""

    # So many rows with both losses are needed, because a few healthy ones may be within the bounds.
    rows: int = 20
    # Relative slack of the bounds: logs have three or four digits after the point.
    slack: float = 1e-3

    condition: ClassVar[str] = "double_sigmoid_loss"
    needs: ClassVar[frozenset[str]] = frozenset({DISCRIMINATOR_LOSS, GENERATOR_LOSS})
    about: ClassVar[About] = "loop"

    def detect(self, record: Record) -> Diagnosis:
        """Compare all rows with the bounds, for the sum and for the mean of D's two terms."""
        return evaluate_each_discriminator(record, self._detect)

    def _detect(self, record: Record) -> Diagnosis:
        steps, discriminator = record[DISCRIMINATOR_LOSS]
        generator = record.at(GENERATOR_LOSS, steps)
        known = np.isfinite(discriminator) & np.isfinite(generator)
        count = int(known.sum())
        if count < self.rows:
            text = f"Too early: {count} rows with both losses; {self.rows} are needed."
            return Diagnosis(self.condition, "inconclusive", text, about=self.about)
        newest = recent_median(discriminator[known], self.rows)
        # D's loss may be logged as the sum of its two terms, or as their mean.
        factor = 1.0 if newest > (FLOOR + CHANCE / 2) / 2 else 2.0
        low, high = float(generator[known].min()), float(generator[known].max())
        least = float(discriminator[known].min()) * factor
        middle = (FLOOR + CHANCE) / 2
        evidence = (
            self._bound(DISCRIMINATOR_LOSS, least, ">", FLOOR * (1 - self.slack), "least D loss"),
            self._bound(DISCRIMINATOR_LOSS, newest * factor, "<", middle, "newest D loss"),
            self._bound(GENERATOR_LOSS, low, ">", LOWEST * (1 - self.slack), "smallest G loss"),
            self._bound(GENERATOR_LOSS, high, "<", HIGHEST * (1 + self.slack), "largest G loss"),
        )
        if not all(item.holds for item in evidence):
            text = "The losses are not those of a sigmoid that is applied twice."
            return Diagnosis(self.condition, "absent", text, evidence=evidence, about=self.about)
        text = (
            f"The discriminator's loss stays at {newest:.4g} and does not fall below "
            f"{FLOOR / factor:.4g} = {'' if factor == 1 else 'half of '}ln 2 + ln(1 + 1/e), and "
            "the generator's stays between 0.313 and 0.693: a sigmoid is applied twice. The "
            f"discriminator gives probabilities, and the loss takes them for logits. {ADVICE}"
        )
        kind, step = "two_sigmoids", int(steps[known][0])
        return Diagnosis(
            self.condition, "present", text, kind, step, kind, 1.0, evidence, self.about
        )

    def _bound(
        self, signal: str, observed: float, relation: str, threshold: float, meaning: str
    ) -> Evidence:
        if relation == "<":
            return Evidence(signal, observed, "<", threshold, observed < threshold, meaning)
        return Evidence(signal, observed, ">", threshold, observed > threshold, meaning)
