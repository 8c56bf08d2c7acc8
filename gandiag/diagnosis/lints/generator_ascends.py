"""Generator ascends: the generator's step makes its samples look less real to the discriminator.

The sign of the generator's loss is wrong, or the loss has the discriminator's target for generated
samples. Both networks then push the scores of generated samples in the same direction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from gandiag.diagnosis.diagnosis import About, Diagnosis, compare_median
from gandiag.diagnosis.lints._answer import WINDOW, build_diagnosis
from gandiag.monitoring.signals import (
    FAKE_OUTPUT_GRADIENTS,
    FAKE_OUTPUT_GRADIENTS_AT_G,
    KNOWN_SPLIT,
    REAL_OUTPUT_GRADIENTS,
)
from gandiag.records.arrays import Array, align
from gandiag.records.record import Record


@dataclass(frozen=True)
class GeneratorAscends:
    """Generator and discriminator push the scores of generated samples in the same direction."""

    # The bug is present where the product of the two mean gradient signs at the generated samples
    # is above this value; it is -1 in a correct loop.
    agreement: float = 0.8

    condition: ClassVar[str] = "generator_ascends"
    needs: ClassVar[frozenset[str]] = frozenset(
        {FAKE_OUTPUT_GRADIENTS_AT_G, FAKE_OUTPUT_GRADIENTS, REAL_OUTPUT_GRADIENTS, KNOWN_SPLIT}
    )
    about: ClassVar[About] = "loop"

    def detect(self, record: Record) -> Diagnosis:
        """Compare the signs of both losses' gradients at the scores of generated samples."""
        steps, gradients = record[FAKE_OUTPUT_GRADIENTS_AT_G]
        of_discriminator = record[FAKE_OUTPUT_GRADIENTS]
        sign = _mean_sign(of_discriminator.values)
        of_real = record[REAL_OUTPUT_GRADIENTS]
        real_sign = align(of_discriminator.steps, of_real.steps, _mean_sign(of_real.values))
        # Least squares raises the scores of both where they are below both targets. Only where the
        # discriminator's step moves the two apart, it has a direction for the generated ones.
        direction = align(steps, of_discriminator.steps, np.where(sign * real_sign < 0, sign, 0))
        is_known = record.at(KNOWN_SPLIT, steps) > 0.5
        if not is_known[-WINDOW:].any():
            # Without memory or labels, gandiag calls those samples generated whose scores D lowers.
            # To compare the directions would then be circular.
            text = (
                "Real and generated samples could only be distinguished by the discriminator's "
                "gradients, which assumes what this check should find out. "
                "watch.label(real=..., fake=...) names them."
            )
            return Diagnosis(self.condition, "inconclusive", text, about="loop")
        agreement = _mean_sign(gradients) * direction
        faulty = np.asarray((agreement > self.agreement) & is_known)
        found = (
            "The generator's step pushes the scores of its samples in the same direction as the "
            "discriminator's step, so the samples get easier to distinguish from real ones. "
            "Reverse the sign of the generator's loss, or give it the targets of real samples."
        )
        clear = "The generator pushes the scores of its samples against the discriminator."
        evidence = (
            compare_median(
                FAKE_OUTPUT_GRADIENTS_AT_G,
                agreement,
                ">",
                self.agreement,
                "agreement of both networks' gradients, -1 for opponents",
                WINDOW,
            ),
        )
        kind = "same_direction"
        return build_diagnosis(self.condition, steps, faulty, kind, found, clear, evidence)


def _mean_sign(gradients: Array) -> Array:
    """Mean over mean absolute value of each row, in [-1, 1]; 0 where all gradients are 0.

    Args:
        gradients: ``(n, pairs)`` or ``(n,)``.

    Returns:
        ``(n,)``
    """
    finite = np.atleast_2d(np.where(np.isfinite(gradients), gradients, 0).T).T
    size = np.abs(finite).sum(1)
    return np.asarray(finite.sum(1) / np.where(size > 0, size, 1))
