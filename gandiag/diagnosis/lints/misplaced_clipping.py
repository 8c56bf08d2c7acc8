"""Misplaced clipping: weights are clipped before the optimizer's step, which moves them out again.

The generator then learns from a critic that is beyond its bound. Clipping belongs after the step
(Arjovsky et al. 2017, algorithm 1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from gandiag.diagnosis.diagnosis import About, Diagnosis, compare_median
from gandiag.diagnosis.lints._answer import build_diagnosis
from gandiag.diagnosis.lints._clipping import is_clipped
from gandiag.monitoring.signals import MAX_WEIGHT, MAX_WEIGHT_AT_G, MAX_WEIGHT_BEFORE
from gandiag.records.record import Record


@dataclass(frozen=True)
class MisplacedClipping:
    """Weights are clipped between the backward pass and the step, or leave the bound by far."""

    cut: float = 1e-5  # relative fall of D's largest weight between forward and step, above
    beyond: float = (
        0.1  # relative excess over the bound in the generator's turn, above: clipping at
    )
    # the start of D's turn, as in the authors' code, leaves 0.5 % at their rate of 5e-5

    condition: ClassVar[str] = "misplaced_clipping"
    needs: ClassVar[frozenset[str]] = frozenset({MAX_WEIGHT, MAX_WEIGHT_BEFORE})
    about: ClassVar[About] = "loop"

    def detect(self, record: Record) -> Diagnosis:
        """Compare D's largest weight at its forward pass, at its step, and in G's turn."""
        steps, largest = record[MAX_WEIGHT]
        size = np.maximum(largest, 1e-30)
        fallen = record.at(MAX_WEIGHT_BEFORE, steps) / size - 1
        excess = record.at(MAX_WEIGHT_AT_G, steps) / size - 1
        bounded = is_clipped(record)
        faulty = np.asarray(bounded & ((fallen > self.cut) | (excess > self.beyond)))
        text = (
            "The discriminator's weights are clipped before its optimizer's step, which moves them "
            "out of the bound again: the generator is judged by a critic that is not clipped. Clip "
            "right after the step."
        )
        clear = "The discriminator's weights are not clipped, or stay within the bound."
        evidence = (
            compare_median(
                MAX_WEIGHT_BEFORE,
                fallen,
                ">",
                self.cut,
                "fall of D's largest weight before its step",
                4,
            ),
            compare_median(
                MAX_WEIGHT_AT_G,
                excess,
                ">",
                self.beyond,
                "its excess over the bound in G's turn",
                4,
            ),
        )
        return build_diagnosis(self.condition, steps, faulty, "before_step", text, clear, evidence)
