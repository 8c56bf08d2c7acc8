"""Evaluation mode: a network learns while its BatchNorm and dropout behave as in evaluation.

It begins with ``network.eval()`` before drawing samples, and no ``network.train()`` after it.
BatchNorm then uses its running statistics, which no longer follow the weights, and dropout is off.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from gandiag.diagnosis import About, Diagnosis, weigh
from gandiag.lints.answers import answer
from gandiag.record import Record

__all__ = ["EvaluationMode"]


@dataclass(frozen=True)
class EvaluationMode:
    """A network is trained with all its BatchNorm and dropout layers in evaluation mode."""

    share: float = 0.999  # of these layers, above: a frozen part of a network may be meant

    condition: ClassVar[str] = "evaluation_mode"
    needs: ClassVar[frozenset[str]] = frozenset({"loop/steps/generator"})
    about: ClassVar[About] = "loop"

    def detect(self, record: Record) -> Diagnosis:
        """Ask of each player in which mode it was at its own steps."""
        found = [self._of(record, player) for player in ("generator", "discriminator")]
        asked = [each for each in found if each is not None]
        if not asked:
            text = "Neither network has a layer that behaves differently in evaluation."
            return Diagnosis(self.condition, "absent", text, about="loop")
        order = {"present": 0, "inconclusive": 1, "absent": 2}
        return min(asked, key=lambda each: order[each.status])

    def _of(self, record: Record, player: str) -> Diagnosis | None:
        name = f"loop/evaluating/{player}"
        steps, share = record[name]
        if not len(steps):
            return None
        text = (
            f"The {player} is trained in evaluation mode: its BatchNorm and dropout layers do not "
            f"behave as in training. Call {player}.train() before its turns, such as after samples "
            "have been drawn."
        )
        clear = "Both networks are in training mode at their steps."
        evidence = (weigh(name, share, ">", self.share, "its layers in evaluation mode", 4),)
        return answer(self.condition, steps, share > self.share, player, text, clear, evidence)
