"""Unscaled data: the values of the generated samples are far smaller than those of the data.

Examples are images of 0 to 255 with a generator that ends in a hyperbolic tangent, or a table whose
columns were not standardised. A bounded last layer cannot reach the data, and any other layer needs
many steps. Scaling the data to the range of the last layer is the first tip of Chintala et al. 2016
(ganhacks).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from gandiag.diagnosis.diagnosis import About, Diagnosis, compare_median
from gandiag.diagnosis.lints._answer import WINDOW, build_diagnosis
from gandiag.monitoring.signals import MAX_ABS
from gandiag.records.record import Record


@dataclass(frozen=True)
class UnscaledData:
    """The largest value of the samples is far below the largest value of the real data."""

    # The bug is present where the largest absolute value of the samples is below this share of the
    # real data's: 1 of 255 is 0.004, and 1 of 127.5 is 0.008.
    reach: float = 0.02

    condition: ClassVar[str] = "unscaled_data"
    needs: ClassVar[frozenset[str]] = frozenset({MAX_ABS})
    about: ClassVar[About] = "loop"

    def detect(self, record: Record) -> Diagnosis:
        """Compare the largest absolute values of samples and data."""
        steps, share = record[MAX_ABS]
        evidence = (
            compare_median(
                MAX_ABS,
                share,
                "<",
                self.reach,
                "largest value of the samples over the real data's",
                WINDOW,
            ),
        )
        found = (
            f"The largest value of the samples is {evidence[0].observed:.1%} of the largest value "
            "of the real data, so the generator cannot reach the data. A hyperbolic tangent gives "
            "-1 to 1, a sigmoid 0 to 1. Scale the data to this range, for example images of 0 to "
            "255 by x / 127.5 - 1; without such a layer, standardise them."
        )
        clear = "The values of the samples are as large as those of the data."
        faulty = np.asarray(share < self.reach)
        kind = "out_of_reach"
        return build_diagnosis(self.condition, steps, faulty, kind, found, clear, evidence)
