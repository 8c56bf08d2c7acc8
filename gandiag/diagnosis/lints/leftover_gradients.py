"""Left-over gradients: a player steps along a gradient that is not only its own.

The generator's backward pass passes through the discriminator and adds to its gradients; so does
the discriminator's to the generator's where the fakes are not detached. Unless they are cleared
before the player's own backward pass, its optimizer adds the opponent's wish to its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from gandiag.diagnosis.diagnosis import About, Diagnosis, compare_median
from gandiag.diagnosis.lints._answer import build_diagnosis
from gandiag.monitoring.signals import DISCRIMINATOR_LEFTOVER, FOREIGN_GRADIENT
from gandiag.records.record import Record


@dataclass(frozen=True)
class LeftoverGradients:
    """A player's gradients are not cleared before its own backward pass."""

    share: float = 1e-6  # of its gradient's norm at its step, above: rounding leaves exact zeros

    condition: ClassVar[str] = "leftover_gradients"
    needs: ClassVar[frozenset[str]] = frozenset({DISCRIMINATOR_LEFTOVER})
    about: ClassVar[About] = "loop"

    def detect(self, record: Record) -> Diagnosis:
        """Ask of each player, the discriminator first, what it found before its backward pass."""
        overlaid = self._overlaid(record)
        if overlaid.status == "present":
            return overlaid
        found = [self._of(record, player) for player in ("discriminator", "generator")]
        return next((each for each in found if each.status == "present"), found[0])

    def _of(self, record: Record, player: str) -> Diagnosis:
        name = f"loop/leftover_gradient/{player}"
        steps, left = record[name]
        other = "generator" if player == "discriminator" else "discriminator"
        text = (
            f"When the {player}'s own backward pass begins, gradients lie there already, such as "
            f"those that the {other}'s turn has added. Call zero_grad() on the {player}'s "
            "optimizer before that pass"
        )
        also = "." if player == "discriminator" else ", and detach the fakes in D's turn."
        clear = "Each player's gradients are cleared before its own backward pass."
        evidence = (compare_median(name, left, ">", self.share, "gradient left over from before", 4),)
        return build_diagnosis(
            self.condition, steps, left > self.share, player, text + also, clear, evidence
        )

    def _overlaid(self, record: Record) -> Diagnosis:
        steps, overlaid = record[FOREIGN_GRADIENT]
        text = (
            "The generator's backward pass comes between the discriminator's own and its step, "
            "and adds to its gradients. Step the discriminator before the generator's turn, or "
            "clear and recompute."
        )
        evidence = (
            compare_median(
                FOREIGN_GRADIENT, overlaid, ">", 0.5, "G's pass added to D's gradients", 4
            ),
        )
        return build_diagnosis(
            self.condition,
            steps,
            np.asarray(overlaid > 0.5),
            "overlaid",
            text,
            "Nothing is added to the discriminator's gradients before its step.",
            evidence,
        )
