"""Saturated clipping: nearly all of the critic's weights lie at the bound they are clipped to.

Such a critic is a very simple function, with little to tell the generator (Gulrajani et al. 2017,
figure 1b).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from gandiag.diagnosis.diagnosis import About, Diagnosis, compare_median
from gandiag.diagnosis.lints._answer import build_diagnosis
from gandiag.diagnosis.lints._clipping import is_clipped
from gandiag.monitoring.signals import AT_CLIP_BOUND, MAX_WEIGHT
from gandiag.records.record import Record


@dataclass(frozen=True)
class SaturatedClipping:
    """Most of the clipped weights lie at their bound."""

    share: float = 0.9  # of the weights at the bound, above (Gulrajani et al. 2017, figure 1b)

    condition: ClassVar[str] = "saturated_clipping"
    needs: ClassVar[frozenset[str]] = frozenset({MAX_WEIGHT, AT_CLIP_BOUND})
    about: ClassVar[About] = "loop"

    def detect(self, record: Record) -> Diagnosis:
        """Judge the share of weights at the bound at each look."""
        steps, share = record[AT_CLIP_BOUND]
        faulty = np.asarray(is_clipped(record) & (share > self.share))
        text = (
            "Nearly all weights of the discriminator lie at the bound that they are clipped to, "
            "which leaves a very simple function. Widen the bound, or use a gradient penalty "
            "instead of clipping."
        )
        clear = "The discriminator's weights are not clipped, or mostly lie within the bound."
        evidence = (
            compare_median(AT_CLIP_BOUND, share, ">", self.share, "weights of D at the bound", 4),
        )
        return build_diagnosis(self.condition, steps, faulty, "saturated", text, clear, evidence)
