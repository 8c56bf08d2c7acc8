"""Misread scores: ``attach`` was told something else of D's output than the loss makes of it.

What is said of slopes and confidence is then wrong: a sigmoid's slope is left out, or taken of
what never went through one.
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
    """The scores are not what attach was told they are."""

    outside: float = 0.01  # share of outputs outside [0, 1], above: they are no probabilities

    condition: ClassVar[str] = "misread_scores"
    needs: ClassVar[frozenset[str]] = frozenset({REAL_OUTPUTS, FAKE_OUTPUTS})
    about: ClassVar[About] = "loop"

    def detect(self, record: Record) -> Diagnosis:
        """Set what was told beside the losses that were recognised."""
        steps, real = record[REAL_OUTPUTS]
        told = record.facts.get(SCORES)
        if told is None or len(steps) < WINDOW:
            return report_too_early(self.condition, len(steps))
        outputs = np.concatenate([real.ravel(), record[FAKE_OUTPUTS].values.ravel()])
        finite = outputs[np.isfinite(outputs)]
        share = float(np.mean((finite < 0) | (finite > 1))) if len(finite) else np.nan
        found = self._found(record, told, share)
        meaning = "share of D's outputs outside [0, 1]"
        evidence = (
            Evidence(REAL_OUTPUTS, share, ">", self.outside, share > self.outside, meaning),
        )
        text = (
            f"attach was told that D's outputs are {told}, but the loss takes them for {found}, so "
            f'what is said of slopes and confidence is wrong. Pass scores="{found}".'
        )
        clear = f"D's outputs are {told}, as attach was told, as far as the losses show."
        faulty = np.full(len(steps), found != told)
        return build_diagnosis(self.condition, steps, faulty, f"not_{told}", text, clear, evidence)

    def _found(self, record: Record, told: str, outside: float) -> str:
        """What the outputs are; what was told where it does no harm to take them for that.

        A critic's scores read as logits, or the other way round, change no slope.
        """
        if told == "probabilities" and outside > self.outside:
            return "logits" if cross_entropy_outputs(record) == {"logits"} else "critic"
        if (
            told != "probabilities"
            and outside == 0
            and cross_entropy_outputs(record) == {"probabilities"}
        ):
            return "probabilities"
        return told
