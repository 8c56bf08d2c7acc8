"""Misplaced clipping: weights are clipped before the optimizer's step, which moves them out again.

The generator then learns from a critic beyond its bound. Clipping belongs after the step (Arjovsky
et al. 2017, algorithm 1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from gandiag.diagnosis.diagnosis import About, Diagnosis, compare_median
from gandiag.diagnosis.lints._answer import WINDOW, build_diagnosis
from gandiag.diagnosis.lints._clipping import is_clipped
from gandiag.monitoring.signals import MAX_WEIGHT, MAX_WEIGHT_AT_G, MAX_WEIGHT_BEFORE
from gandiag.records.record import Record

TINY = 1e-30  # replaces a largest weight of 0 in a denominator


@dataclass(frozen=True)
class MisplacedClipping:
    """Weights are clipped between backward pass and step, or are far beyond the bound."""

    # Clipping between forward pass and step lowers D's largest weight by more than this share of
    # itself, which is above the rounding of 32-bit numbers.
    cut: float = 1e-5
    # Weights are beyond the bound where D's largest weight exceeds it by more than this share in
    # the generator's step; clipping before D's forward pass, as in the authors' code, leaves 0.5 %
    # at their learning rate of 5e-5.
    beyond: float = 0.1

    condition: ClassVar[str] = "misplaced_clipping"
    needs: ClassVar[frozenset[str]] = frozenset({MAX_WEIGHT, MAX_WEIGHT_BEFORE})
    about: ClassVar[About] = "loop"

    def detect(self, record: Record) -> Diagnosis:
        """Compare D's largest weight at its forward pass, at its step, and at G's step."""
        steps, largest = record[MAX_WEIGHT]
        size = np.maximum(largest, TINY)
        with np.errstate(invalid="ignore"):  # diverged weights: inf / inf is NaN, no finding
            fall = record.at(MAX_WEIGHT_BEFORE, steps) / size - 1
            excess = record.at(MAX_WEIGHT_AT_G, steps) / size - 1
        faulty = np.asarray(is_clipped(record) & ((fall > self.cut) | (excess > self.beyond)))
        found = (
            "The discriminator's weights are clipped before its optimizer's step, which moves them "
            "out of the bound again: the generator learns from a critic that is not clipped. Clip "
            "directly after the step."
        )
        clear = "The discriminator's weights are not clipped, or stay within the bound."
        evidence = (
            compare_median(
                MAX_WEIGHT_BEFORE,
                fall,
                ">",
                self.cut,
                "fall of D's largest weight before its step",
                WINDOW,
            ),
            compare_median(
                MAX_WEIGHT_AT_G,
                excess,
                ">",
                self.beyond,
                "excess of D's largest weight over the bound at G's step",
                WINDOW,
            ),
        )
        kind = "before_step"
        return build_diagnosis(self.condition, steps, faulty, kind, found, clear, evidence)
