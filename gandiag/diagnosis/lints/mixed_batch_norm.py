"""Mixed batches: real and fake samples share one batch under the discriminator's BatchNorm.

BatchNorm then tells each sample what the others are. In its own turn D finds the fakes easily, and
in the generator's turn, where a batch holds fakes only, it judges the same samples differently:
both losses can be near zero at once, which no consistent discriminator allows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from gandiag.diagnosis.diagnosis import About, Diagnosis, Evidence, compare_median
from gandiag.diagnosis.lints._answer import build_diagnosis
from gandiag.monitoring.signals import BATCH_NORMS, FAKE_OUTPUTS, FAKE_OUTPUTS_AT_G, MIXED_BATCH
from gandiag.records.record import Record


@dataclass(frozen=True)
class MixedBatchNorm:
    """One call of a discriminator with BatchNorm holds real and fake samples."""

    gap: float = 3.0  # logits by which D's two opinions of the fakes differ, above: its kind

    condition: ClassVar[str] = "mixed_batch_norm"
    needs: ClassVar[frozenset[str]] = frozenset({MIXED_BATCH, BATCH_NORMS})
    about: ClassVar[About] = "loop"

    def detect(self, record: Record) -> Diagnosis:
        """Judge each look at D's turn."""
        steps, mixed = record[MIXED_BATCH]
        norms = record.at(BATCH_NORMS, steps)
        text = (
            "The discriminator has BatchNorm and is called on real and fake samples together, so "
            "each sample's score depends on the others', and fakes alone are judged differently. "
            "Call it on real and on fake samples separately."
        )
        clear = "No batch under the discriminator's BatchNorm holds both real and fake samples."
        evidence = (
            compare_median(
                MIXED_BATCH, mixed, ">", 0.5, "calls of D that hold real and fake samples", 4
            ),
            compare_median(BATCH_NORMS, norms, ">", 0.5, "BatchNorm layers of D in training mode", 4),
            self._opinions(record),
        )
        faulty = (mixed > 0.5) & (norms > 0)
        kind = "disagreeing" if evidence[-1].holds else "mixed"
        return build_diagnosis(self.condition, steps, faulty, kind, text, clear, evidence)

    def _opinions(self, record: Record) -> Evidence:
        own, others = (record[name].values[-4:] for name in (FAKE_OUTPUTS, FAKE_OUTPUTS_AT_G))
        known = len(own) and len(others) and np.isfinite(own).any() and np.isfinite(others).any()
        gap = abs(float(np.nanmedian(own) - np.nanmedian(others))) if known else float("nan")
        meaning = "D's two opinions of the fakes differ"
        return Evidence(FAKE_OUTPUTS, gap, ">", self.gap, gap > self.gap, meaning)
