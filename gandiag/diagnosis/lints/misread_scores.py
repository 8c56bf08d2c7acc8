"""Misread scores: the option ``scores`` of ``attach`` does not agree with the loss.

gandiag then computes gradients and confidences wrongly: it omits the derivative of a sigmoid, or
uses one where the loop has no sigmoid.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from gandiag.diagnosis.diagnosis import About, Diagnosis, Evidence
from gandiag.diagnosis.lints._answer import WINDOW, build_diagnosis, report_too_early
from gandiag.diagnosis.objective import cross_entropy_outputs
from gandiag.monitoring.signals import FAKE_OUTPUTS, REAL_OUTPUTS
from gandiag.records.facts import SCORES
from gandiag.records.record import Record


@dataclass(frozen=True)
class MisreadScores:
    """The discriminator's outputs are not what the option ``scores`` of ``attach`` names."""

    # The outputs are no probabilities where more than this share of them is outside [0, 1].
    outside: float = 0.01

    condition: ClassVar[str] = "misread_scores"
    needs: ClassVar[frozenset[str]] = frozenset({REAL_OUTPUTS, FAKE_OUTPUTS})
    about: ClassVar[About] = "loop"

    def detect(self, record: Record) -> Diagnosis:
        """Compare the option with the recognised losses and the range of the outputs."""
        steps, real = record[REAL_OUTPUTS]
        given = record.facts.get(SCORES)
        if given is None or len(steps) < WINDOW:
            return report_too_early(self.condition, len(steps))
        outputs = np.concatenate([real.ravel(), record[FAKE_OUTPUTS].values.ravel()])
        finite = outputs[np.isfinite(outputs)]
        share = float(np.mean((finite < 0) | (finite > 1))) if len(finite) else np.nan
        recognised = self._recognise(record, given, share)
        meaning = "share of D's outputs outside [0, 1]"
        evidence = (
            Evidence(REAL_OUTPUTS, share, ">", self.outside, share > self.outside, meaning),
        )
        found = (
            f'attach was called with scores="{given}", but the loss takes D\'s outputs for '
            f"{recognised}, so the recorded gradients and confidences are wrong. Pass "
            f'scores="{recognised}".'
        )
        clear = f'As far as the losses show, scores="{given}" is right.'
        faulty = np.full(len(steps), recognised != given)
        kind = f"not_{given}"
        return build_diagnosis(self.condition, steps, faulty, kind, found, clear, evidence)

    def _recognise(self, record: Record, given: str, outside: float) -> str:
        """What the outputs are; `given`, where a difference would have no consequence.

        To confuse a critic's scores with logits, for example, changes no gradient.
        """
        if given == "probabilities" and outside > self.outside:
            return "logits" if cross_entropy_outputs(record) == {"logits"} else "critic"
        may_be_probabilities = given != "probabilities" and outside == 0
        if may_be_probabilities and cross_entropy_outputs(record) == {"probabilities"}:
            return "probabilities"
        return given
