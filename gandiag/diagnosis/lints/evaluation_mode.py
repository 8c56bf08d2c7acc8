"""Evaluation mode: a network learns while its BatchNorm and dropout behave as in evaluation.

It begins with ``network.eval()`` before drawing samples, and no ``network.train()`` after it.
BatchNorm then uses its running statistics, which no longer follow the weights, and dropout is off.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from gandiag.diagnosis.diagnosis import About, Diagnosis, compare_median
from gandiag.diagnosis.lints._answer import WINDOW, build_diagnosis, report_too_early
from gandiag.monitoring.signals import GENERATOR_STEPS
from gandiag.records.record import Record


@dataclass(frozen=True)
class EvaluationMode:
    """A network is trained with all its BatchNorm and dropout layers in evaluation mode."""

    share: float = 0.999  # of these layers, above: a frozen part of a network may be meant

    condition: ClassVar[str] = "evaluation_mode"
    needs: ClassVar[frozenset[str]] = frozenset({GENERATOR_STEPS})
    about: ClassVar[About] = "loop"

    def detect(self, record: Record) -> Diagnosis:
        """Ask of each player in which mode it was at its own steps."""
        looks = len(record[GENERATOR_STEPS].steps)
        if looks < WINDOW:
            return report_too_early(self.condition, looks)
        found = [self._of(record, player) for player in ("generator", "discriminator")]
        return next((each for each in found if each.status == "present"), found[0])

    def _of(self, record: Record, player: str) -> Diagnosis:
        """A network without a layer that behaves differently in evaluation has no share of them."""
        name = f"loop/eval_mode/{player}"
        steps = record[GENERATOR_STEPS].steps
        share = record.at(name, steps)
        text = (
            f"The {player} is trained in evaluation mode: its BatchNorm and dropout layers do not "
            f"behave as in training. Call {player}.train() before its turns, such as after samples "
            "have been drawn."
        )
        clear = "Both networks are in training mode at their steps."
        evidence = (compare_median(name, share, ">", self.share, "its layers in evaluation mode", 4),)
        faulty = np.asarray(share > self.share)
        return build_diagnosis(self.condition, steps, faulty, player, text, clear, evidence)
