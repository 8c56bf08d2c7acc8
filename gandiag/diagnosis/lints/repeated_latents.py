"""Repeated latents: all samples of a batch are generated from one latent vector, so all are equal.

It happens where one latent vector is expanded to the batch size, or where a random generator is
seeded again before each row. The generator then cannot learn more than one sample a batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from gandiag.diagnosis.diagnosis import About, Diagnosis, compare_median
from gandiag.diagnosis.lints._answer import WINDOW, build_diagnosis, report_too_early
from gandiag.monitoring.signals import GENERATOR_STEPS, SAME_LATENTS
from gandiag.records.record import Record


@dataclass(frozen=True)
class RepeatedLatents:
    """All latents of a batch are equal, and so are its samples."""

    condition: ClassVar[str] = "repeated_latents"
    needs: ClassVar[frozenset[str]] = frozenset({GENERATOR_STEPS})
    about: ClassVar[About] = "loop"

    def detect(self, record: Record) -> Diagnosis:
        """Check whether the rows of G's inputs and samples are equal."""
        clear = "The latents of a batch differ."
        evaluations = len(record[GENERATOR_STEPS].steps)
        if evaluations < WINDOW:
            return report_too_early(self.condition, evaluations)
        steps, same = record[SAME_LATENTS]
        if len(steps) < WINDOW:  # a generator that draws its latents itself
            return Diagnosis(self.condition, "absent", clear, about="loop")
        found = (
            "All latents of a batch are equal, so all its samples are equal. Draw one latent "
            "vector for each sample, for example torch.randn(batch_size, latent_size)."
        )
        evidence = (compare_median(SAME_LATENTS, same, ">", 0.5, evaluations=WINDOW),)
        faulty = np.asarray(same > 0.5)
        return build_diagnosis(self.condition, steps, faulty, "one_latent", found, clear, evidence)
