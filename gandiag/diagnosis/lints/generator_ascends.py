"""The generator climbs: its step makes the fakes look less real to the discriminator, not more.

A wrong sign, or D's own target for fakes in the generator's loss. Both players then want the same:
scores of fakes that are as far from those of real samples as can be.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from gandiag.diagnosis.diagnosis import About, Diagnosis, compare_median
from gandiag.diagnosis.lints._answer import build_diagnosis
from gandiag.monitoring.signals import (
    FAKE_OUTPUT_GRADIENTS,
    FAKE_OUTPUT_GRADIENTS_AT_G,
    KNOWN_SPLIT,
)
from gandiag.records.arrays import Array, align
from gandiag.records.record import Record


@dataclass(frozen=True)
class GeneratorAscends:
    """Generator and discriminator push the scores of the fakes the same way."""

    agreement: float = 0.8  # of both players' slopes at the fakes, above: opponents have -1

    condition: ClassVar[str] = "generator_ascends"
    needs: ClassVar[frozenset[str]] = frozenset(
        {FAKE_OUTPUT_GRADIENTS_AT_G, FAKE_OUTPUT_GRADIENTS, KNOWN_SPLIT}
    )
    about: ClassVar[About] = "loop"

    def detect(self, record: Record) -> Diagnosis:
        """Compare, look by look, the directions in which the two push the fakes' scores."""
        steps, slopes = record[FAKE_OUTPUT_GRADIENTS_AT_G]
        of_d = record[FAKE_OUTPUT_GRADIENTS]
        theirs = align(steps, of_d.steps, _one_sided(of_d.values))
        certain = record.at(KNOWN_SPLIT, steps) > 0.5
        if not certain[-4:].any():
            text = (
                "Real and fake samples could only be told apart by the discriminator's slopes, "
                "which takes for granted what is asked here. watch.label(real=..., fake=...) says "
                "which is which."
            )
            return Diagnosis(self.condition, "inconclusive", text, about="loop")
        agreement = _one_sided(slopes) * theirs
        faulty = np.asarray((agreement > self.agreement) & certain)
        text = (
            "The generator's step pushes the scores of its fakes the way the discriminator's does: "
            "it helps to tell them from real samples instead of hiding the difference. Turn the "
            "sign of its loss, or give it the targets of real samples."
        )
        clear = "The generator pushes the scores of its fakes against the discriminator."
        meaning = "agreement of the players on the fakes, -1 for opponents"
        evidence = (
            compare_median(FAKE_OUTPUT_GRADIENTS_AT_G, agreement, ">", self.agreement, meaning, 4),
        )
        return build_diagnosis(self.condition, steps, faulty, "same_direction", text, clear, evidence)


def _one_sided(slopes: Array) -> Array:
    """Mean slope over mean size, look by look, in [-1, 1]; 0 where all slopes are 0."""
    finite = np.atleast_2d(np.where(np.isfinite(slopes), slopes, 0).T).T
    size = np.abs(finite).sum(1)
    return np.asarray(finite.sum(1) / np.where(size > 0, size, 1))
