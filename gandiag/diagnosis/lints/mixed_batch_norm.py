"""Mixed batches: real and generated samples are in one batch of a discriminator with BatchNorm.

With BatchNorm, the score of each sample depends on the other samples of the batch. In its own step,
D then separates the samples easily. In the generator's step the batch has generated samples only,
and D gives the same samples other scores. Both losses can be near zero at once, which is impossible
for a consistent discriminator.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from gandiag.diagnosis.diagnosis import About, Diagnosis, Evidence, compare_median
from gandiag.diagnosis.lints._answer import WINDOW, build_diagnosis
from gandiag.monitoring.signals import BATCH_NORMS, FAKE_OUTPUTS, FAKE_OUTPUTS_AT_G, MIXED_BATCH
from gandiag.records.record import Record


@dataclass(frozen=True)
class MixedBatchNorm:
    """One call of a discriminator with BatchNorm has both real and generated samples."""

    # The failure type is disagreeing where D's median outputs on generated samples in D's step and
    # in G's step differ by more than this, in logits.
    gap: float = 3.0

    condition: ClassVar[str] = "mixed_batch_norm"
    needs: ClassVar[frozenset[str]] = frozenset({MIXED_BATCH, BATCH_NORMS})
    about: ClassVar[About] = "loop"

    def detect(self, record: Record) -> Diagnosis:
        """Evaluate the batches and BatchNorm layers of each discriminator step."""
        steps, mixed = record[MIXED_BATCH]
        norms = record.at(BATCH_NORMS, steps)
        found = (
            "The discriminator has BatchNorm and is called on real and generated samples together. "
            "The score of each sample then depends on the other samples, and generated samples "
            "alone get different scores. Call the discriminator on real and on generated samples "
            "separately."
        )
        clear = "No batch of a discriminator with BatchNorm has both real and generated samples."
        evidence = (
            compare_median(MIXED_BATCH, mixed, ">", 0.5, evaluations=WINDOW),
            compare_median(BATCH_NORMS, norms, ">", 0.5, evaluations=WINDOW),
            self._compare_outputs(record),
        )
        faulty = (mixed > 0.5) & (norms > 0)
        kind = "disagreeing" if evidence[-1].holds else "mixed"
        return build_diagnosis(self.condition, steps, faulty, kind, found, clear, evidence)

    def _compare_outputs(self, record: Record) -> Evidence:
        """Compare D's outputs on generated samples in its own step and in the generator's step."""
        own, other = (record[name].values[-WINDOW:] for name in (FAKE_OUTPUTS, FAKE_OUTPUTS_AT_G))
        is_known = len(own) and len(other) and np.isfinite(own).any() and np.isfinite(other).any()
        gap = abs(float(np.nanmedian(own) - np.nanmedian(other))) if is_known else float("nan")
        meaning = "difference of D's outputs on generated samples between D's and G's step"
        return Evidence(FAKE_OUTPUTS, gap, ">", self.gap, gap > self.gap, meaning)
