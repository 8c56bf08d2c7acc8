"""An unbounded critic: nothing keeps its slope in bounds.

A critic's difference of mean scores grows with its slope without end, so it must be kept Lipschitz:
by clipping its weights (Arjovsky et al. 2017), a gradient penalty (Gulrajani et al. 2017) or
spectral normalisation (Miyato et al. 2018). Without, scores and gradients blow up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from gandiag.diagnosis.diagnosis import About, Diagnosis, Evidence, compare_median
from gandiag.diagnosis.lints._answer import WINDOW, build_diagnosis, report_too_early
from gandiag.diagnosis.lints._clipping import is_clipped
from gandiag.diagnosis.objective import has_linear_loss
from gandiag.monitoring.signals import (
    FAKE_OUTPUTS,
    GRADIENT_PENALTY,
    MAX_WEIGHT,
    REAL_OUTPUTS,
    SPECTRAL_NORM,
)
from gandiag.records.record import Record


@dataclass(frozen=True)
class UnboundedCritic:
    """The discriminator minimises a linear loss, and nothing bounds its slope."""

    margin: float = 1.05  # score that a hinge would have cut off, above: else both look the same

    condition: ClassVar[str] = "unbounded_critic"
    needs: ClassVar[frozenset[str]] = frozenset(
        {GRADIENT_PENALTY, SPECTRAL_NORM, MAX_WEIGHT, REAL_OUTPUTS, FAKE_OUTPUTS}
    )
    about: ClassVar[About] = "loop"

    def detect(self, record: Record) -> Diagnosis:
        """Ask for the objective first, then for each of the three bounds."""
        steps, penalised = record[GRADIENT_PENALTY]
        if len(steps) < WINDOW:
            return report_too_early(self.condition, len(steps))
        if not has_linear_loss(record):
            text = "The discriminator's loss is not linear in its scores, so it bounds them itself."
            return Diagnosis(self.condition, "absent", text, about="loop")
        past = self._past_margin(record)
        normalised = record.at(SPECTRAL_NORM, steps)
        bounded = is_clipped(record) | (penalised > 0.5) | (normalised > 0.5)
        evidence = (
            compare_median(
                GRADIENT_PENALTY, penalised, "<", 0.5, "D's slope at its input was asked for", 4
            ),
            compare_median(SPECTRAL_NORM, normalised, "<", 0.5, "D is spectrally normalised", 4),
            compare_median(
                MAX_WEIGHT, is_clipped(record).astype(float), "<", 0.5, "D's weights are clipped", 4
            ),
            past,
        )
        if not past.holds and not bounded[-WINDOW:].any():
            text = "The loss is a critic's or hinge: no score has passed the margin of 1 so far."
            return Diagnosis(self.condition, "inconclusive", text, evidence=evidence, about="loop")
        text = (
            "The discriminator's loss is linear in its scores, as a critic's, but no gradient "
            "penalty, weight clipping or spectral normalisation was seen: its scores can grow "
            "without end. Add one of them, or use a loss that is not linear."
        )
        clear = "The critic's slope is bounded."
        return build_diagnosis(self.condition, steps, ~bounded, "no_bound", text, clear, evidence)

    def _past_margin(self, record: Record) -> Evidence:
        tops = [_largest(record[REAL_OUTPUTS].values), _largest(-record[FAKE_OUTPUTS].values)]
        top = max(tops)
        meaning = "score beyond a hinge's margin, still with a slope"
        return Evidence(REAL_OUTPUTS, top, ">", self.margin, top > self.margin, meaning)


def _largest(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.max()) if len(finite) else float("-inf")
