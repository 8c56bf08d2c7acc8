"""Constant condition: all samples are generated for one condition, while real ones have several.

A conditional GAN (Mirza & Osindero 2014) is trained on pairs of a sample and its condition, such as
a class. If the loop passes a fixed condition for generated samples, the generator learns one class,
and the discriminator recognises generated samples by their condition.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from gandiag.diagnosis.diagnosis import About, Diagnosis, compare_median
from gandiag.diagnosis.lints._answer import WINDOW, build_diagnosis, report_too_early
from gandiag.monitoring.signals import (
    CONDITION,
    GENERATOR_STEPS,
    REAL_CONDITION,
    SAME_CONDITION,
    SAME_REAL_CONDITION,
)
from gandiag.records.record import Record


@dataclass(frozen=True)
class ConstantCondition:
    """The condition of generated samples is always the same one; that of real samples varies."""

    condition: ClassVar[str] = "constant_condition"
    needs: ClassVar[frozenset[str]] = frozenset({GENERATOR_STEPS})
    about: ClassVar[About] = "loop"

    def detect(self, record: Record) -> Diagnosis:
        """Compare the conditions of generated samples with one another and with the real ones."""
        clear = "The conditions of generated samples vary as those of real samples do."
        found = (
            "All samples are generated for the same condition (class label), while the real "
            "samples have several. Draw the conditions of generated samples at random, or take "
            "those of the real batch."
        )
        steps, same = record[SAME_CONDITION]
        real_steps, same_real = record[SAME_REAL_CONDITION]
        if min(len(steps), len(real_steps)) < WINDOW:
            evaluations = len(record[GENERATOR_STEPS].steps)
            if evaluations < WINDOW:
                return report_too_early(self.condition, evaluations)
            # A loop without conditions.
            return Diagnosis(self.condition, "absent", clear, about="loop")
        is_constant = _is_constant(same, record[CONDITION].values)
        is_real_constant = _is_constant(same_real, record[REAL_CONDITION].values)
        # Real conditions vary where they have varied at some evaluation so far.
        varies = np.logical_or.accumulate(~is_real_constant & np.isfinite(same_real))
        known = np.searchsorted(real_steps, steps, side="right") - 1
        varies_then = np.where((known >= 0)[:, None], varies[np.maximum(known, 0)], False)
        faulty = np.asarray((is_constant & varies_then).any(1))
        evidence = (
            compare_median(
                SAME_CONDITION,
                np.asarray(is_constant.any(1), dtype=np.float64),
                ">",
                0.5,
                "generated samples have had one condition so far",
                WINDOW,
            ),
        )
        kind = "one_condition"
        return build_diagnosis(self.condition, steps, faulty, kind, found, clear, evidence)


def _is_constant(same: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Whether each condition has been the same for all samples so far, ``(n, inputs)``."""
    is_first = np.isclose(values, values[:1], rtol=1e-5, atol=0.0)
    return np.logical_and.accumulate((same > 0.5) & is_first)
