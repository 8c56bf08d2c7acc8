"""Unscaled data: the generator's values do not come near those of the data.

It begins with images of 0 to 255 beside a generator that ends in a hyperbolic tangent, or with a
table whose columns were never standardised. A bounded last layer never gets there, and another one
has a long way to go. To scale the data to the range of the last layer is the first of the tips of
Chintala et al. 2016 (ganhacks).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from gandiag.diagnosis.diagnosis import About, Diagnosis, compare_median
from gandiag.diagnosis.lints._answer import build_diagnosis
from gandiag.monitoring.signals import MAX_ABS
from gandiag.records.record import Record


@dataclass(frozen=True)
class UnscaledData:
    """The largest value among the samples is far below the largest among the real data."""

    reach: float = 0.02  # share of the data's largest value, below: 1 of 255 is .004, of 127.5 .008

    condition: ClassVar[str] = "unscaled_data"
    needs: ClassVar[frozenset[str]] = frozenset({MAX_ABS})
    about: ClassVar[About] = "loop"

    def detect(self, record: Record) -> Diagnosis:
        """Ask whether it is so now, and since when."""
        steps, extent = record[MAX_ABS]
        evidence = (
            compare_median(MAX_ABS, extent, "<", self.reach, "largest value over the data's", 4),
        )
        text = (
            f"The largest value among the samples is {evidence[0].observed:.1%} of the largest "
            "among the real ones: the data are out of the generator's reach. A hyperbolic tangent "
            "gives -1 to 1, a sigmoid 0 to 1. Scale the data to that, such as images of 0 to 255 "
            "by x / 127.5 - 1; without such a layer, standardise them."
        )
        clear = "The samples' values are of the size of the data's."
        faulty = np.asarray(extent < self.reach)
        return build_diagnosis(self.condition, steps, faulty, "out_of_reach", text, clear, evidence)
