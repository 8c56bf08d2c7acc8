"""Detached samples: the generator's step has a loss of D's scores, but no gradient comes from it.

The samples are detached, or generated under ``no_grad()``, in the generator's own step, or D's
scores are constants there. If the generator has a second loss, such as an L1 distance, its
optimizer steps and nothing seems wrong, but the generator is not trained against the discriminator.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from gandiag.diagnosis.diagnosis import About, Diagnosis, compare_median
from gandiag.diagnosis.lints._answer import WINDOW, build_diagnosis
from gandiag.monitoring.signals import CUT_OFF, GENERATOR_WITHOUT_GRADIENT
from gandiag.records.record import Record


@dataclass(frozen=True)
class DetachedSamples:
    """In the generator's step, no gradient can flow from D's scores to the generator."""

    # The bug is absent where this share of the parameters, or more, has no gradient at all: that is
    # the lint idle_network.
    without_gradient: float = 0.999

    condition: ClassVar[str] = "detached_samples"
    needs: ClassVar[frozenset[str]] = frozenset({CUT_OFF})
    about: ClassVar[About] = "loop"

    def detect(self, record: Record) -> Diagnosis:
        """Check whether D's scores in G's step lead to G, where G has gradients of another loss."""
        steps, cut_off = record[CUT_OFF]
        idle = record.at(GENERATOR_WITHOUT_GRADIENT, steps) >= self.without_gradient
        found = (
            "The generator's step scores samples with the discriminator, but no gradient comes "
            "through these scores to the generator: only the other terms of its loss train it. "
            "Do not detach the samples in the generator's step, nor generate them under no_grad()."
        )
        clear = "In the generator's step, gradients come through the discriminator's scores."
        evidence = (compare_median(CUT_OFF, cut_off, ">", 0.5, evaluations=WINDOW),)
        faulty = np.asarray((cut_off > 0.5) & ~idle)
        return build_diagnosis(self.condition, steps, faulty, "no_gradient", found, clear, evidence)
