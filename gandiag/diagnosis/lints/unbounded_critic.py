"""Unbounded critic: the gradient of a Wasserstein critic has no bound.

A critic's loss, the difference of mean scores, falls without limit as its gradient grows. So the
critic must be Lipschitz: by clipped weights (Arjovsky et al. 2017), a gradient penalty (Gulrajani
et al. 2017) or spectral normalisation (Miyato et al. 2018). Otherwise scores and gradients diverge.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from gandiag.diagnosis.diagnosis import About, Diagnosis, Evidence, compare_median
from gandiag.diagnosis.lints._answer import WINDOW, build_diagnosis, report_too_early
from gandiag.diagnosis.lints._clipping import is_clipped
from gandiag.diagnosis.objective import has_linear_loss, is_cut_off
from gandiag.monitoring.signals import (
    FAKE_OUTPUTS,
    GRADIENT_PENALTY,
    MAX_WEIGHT,
    REAL_OUTPUTS,
    SPECTRAL_NORM,
)
from gandiag.records.arrays import Array
from gandiag.records.record import Record


@dataclass(frozen=True)
class UnboundedCritic:
    """The discriminator minimises a linear loss, and nothing bounds its gradient."""

    # A linear loss is a critic's where a score exceeds this value; up to 1, a hinge loss has the
    # same gradient.
    margin: float = 1.05

    condition: ClassVar[str] = "unbounded_critic"
    needs: ClassVar[frozenset[str]] = frozenset(
        {GRADIENT_PENALTY, SPECTRAL_NORM, MAX_WEIGHT, REAL_OUTPUTS, FAKE_OUTPUTS}
    )
    about: ClassVar[About] = "loop"

    def detect(self, record: Record) -> Diagnosis:
        """Recognise the objective, then check for each of the three bounds."""
        steps, penalised = record[GRADIENT_PENALTY]
        if len(steps) < WINDOW:
            return report_too_early(self.condition, len(steps))
        if not has_linear_loss(record):
            text = "The discriminator's loss is not linear in its scores, so it bounds them itself."
            return Diagnosis(self.condition, "absent", text, about="loop")
        if is_cut_off(record):
            text = (
                "The discriminator's loss has no gradient beyond a margin, like the hinge loss, so "
                "it bounds the scores itself."
            )
            return Diagnosis(self.condition, "absent", text, about="loop")
        past_margin = self._compare_scores(record)
        normalised, clipped = record.at(SPECTRAL_NORM, steps), is_clipped(record)
        bounded = clipped | (penalised > 0.5) | (normalised > 0.5)
        evidence = (
            compare_median(GRADIENT_PENALTY, penalised, "<", 0.5, evaluations=WINDOW),
            compare_median(SPECTRAL_NORM, normalised, "<", 0.5, evaluations=WINDOW),
            compare_median(
                MAX_WEIGHT, clipped.astype(float), "<", 0.5, "weight clipping seen", WINDOW
            ),
            past_margin,
        )
        if not past_margin.holds and not bounded[-WINDOW:].any():
            text = (
                "The loss is that of a Wasserstein critic or the hinge loss: no score has exceeded "
                "the margin of 1 so far."
            )
            return Diagnosis(self.condition, "inconclusive", text, evidence=evidence, about="loop")
        found = (
            "The discriminator's loss is linear in its scores, like that of a Wasserstein critic, "
            "but no gradient penalty, weight clipping or spectral normalisation was seen: its "
            "scores can grow without limit. Add one of these, or use a loss that is not linear."
        )
        clear = "The critic's gradient is bounded."
        return build_diagnosis(self.condition, steps, ~bounded, "no_bound", found, clear, evidence)

    def _compare_scores(self, record: Record) -> Evidence:
        """Compare the most extreme scores with the margin of the hinge loss."""
        real, fake = record[REAL_OUTPUTS].values, record[FAKE_OUTPUTS].values
        largest = max(_find_largest(real), _find_largest(-fake))
        meaning = "largest score, which a hinge loss would cut off at 1"
        return Evidence(REAL_OUTPUTS, largest, ">", self.margin, largest > self.margin, meaning)


def _find_largest(values: Array) -> float:
    """Largest finite value; minus infinity where there is none."""
    finite = values[np.isfinite(values)]
    return float(finite.max()) if len(finite) else float("-inf")
