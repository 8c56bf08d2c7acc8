"""Ungraphed penalty: a gradient penalty is a constant for autograd, and changes nothing.

A gradient penalty (Gulrajani et al. 2017, Mescheder et al. 2018) is a function of D's gradient at
its input. `torch.autograd.grad` returns this gradient as a constant unless ``create_graph=True`` is
passed. The penalty's value is then part of the loss, but its derivative is zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from gandiag.diagnosis.diagnosis import About, Diagnosis, compare_median
from gandiag.diagnosis.lints._answer import WINDOW, build_diagnosis
from gandiag.monitoring.signals import UNGRAPHED_PENALTY
from gandiag.records.record import Record


@dataclass(frozen=True)
class UngraphedPenalty:
    """D's loss has a gradient penalty that was computed without a graph."""

    condition: ClassVar[str] = "ungraphed_penalty"
    needs: ClassVar[frozenset[str]] = frozenset({UNGRAPHED_PENALTY})
    about: ClassVar[About] = "loop"

    def detect(self, record: Record) -> Diagnosis:
        """Check whether D's loss has a constant beside a gradient at its input without a graph."""
        steps, ungraphed = record[UNGRAPHED_PENALTY]
        found = (
            "The discriminator's loss has a constant term, and the gradient of D at its input is "
            "computed without a graph: the gradient penalty does not change any weight. Pass "
            "create_graph=True to torch.autograd.grad, and do not detach the penalty."
        )
        clear = "No gradient penalty is a constant of the discriminator's loss."
        evidence = (compare_median(UNGRAPHED_PENALTY, ungraphed, ">", 0.5, evaluations=WINDOW),)
        faulty = np.asarray(ungraphed > 0.5)
        kind = "constant_penalty"
        return build_diagnosis(self.condition, steps, faulty, kind, found, clear, evidence)
