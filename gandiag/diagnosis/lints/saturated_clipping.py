"""Saturated clipping: nearly all weights of the critic are at the bound to which they are clipped.

Such a critic is a very simple function and gives the generator little information (Gulrajani et al.
2017, figure 1b).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from gandiag.diagnosis.diagnosis import About, Diagnosis, compare_median
from gandiag.diagnosis.lints._answer import WINDOW, build_diagnosis
from gandiag.diagnosis.lints._clipping import is_clipped
from gandiag.monitoring.signals import AT_CLIP_BOUND, MAX_WEIGHT
from gandiag.records.record import Record


@dataclass(frozen=True)
class SaturatedClipping:
    """Most of the clipped weights are at their bound."""

    # The bug is present where more than this share of D's weights is at the bound (Gulrajani et al.
    # 2017, figure 1b).
    share: float = 0.9

    condition: ClassVar[str] = "saturated_clipping"
    needs: ClassVar[frozenset[str]] = frozenset({MAX_WEIGHT, AT_CLIP_BOUND})
    about: ClassVar[About] = "loop"

    def detect(self, record: Record) -> Diagnosis:
        """Evaluate the share of weights at the bound."""
        steps, share = record[AT_CLIP_BOUND]
        faulty = np.asarray(is_clipped(record) & (share > self.share))
        found = (
            "Nearly all weights of the discriminator are at the bound to which they are clipped, "
            "so the discriminator is a very simple function. Increase the bound, or use a gradient "
            "penalty instead of clipping."
        )
        clear = "The discriminator's weights are not clipped, or most of them are below the bound."
        evidence = (compare_median(AT_CLIP_BOUND, share, ">", self.share, evaluations=WINDOW),)
        return build_diagnosis(self.condition, steps, faulty, "saturated", found, clear, evidence)
