"""An idle player: one of the two is never stepped, gets no gradient, or never moves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from gandiag.diagnosis.diagnosis import About, Diagnosis, Evidence, compare_median
from gandiag.diagnosis.lints._answer import build_diagnosis, report_too_early
from gandiag.monitoring.signals import DISCRIMINATOR_STEPS, GENERATOR_STEPS
from gandiag.records.facts import WAITED
from gandiag.records.record import Record


@dataclass(frozen=True)
class IdleNetwork:
    """One player does not learn at all."""

    patience: int = 200  # steps of the other player; a discriminator may well begin alone

    condition: ClassVar[str] = "idle_network"
    needs: ClassVar[frozenset[str]] = frozenset()
    about: ClassVar[About] = "loop"

    def detect(self, record: Record) -> Diagnosis:
        """Ask who has stepped, who has had a gradient, and whose weights have moved."""
        unstepped = self._unstepped(record)
        if unstepped is not None:
            return unstepped
        found = [
            judge(record, player)
            for judge in (self._without_gradient, self._motionless)
            for player in ("generator", "discriminator")
        ]
        present = [each for each in found if each.status == "present"]
        return present[0] if present else found[0]

    def _unstepped(self, record: Record) -> Diagnosis | None:
        first = float(record.facts.get(WAITED, 0))
        seen = {name: len(record[name].steps) for name in (GENERATOR_STEPS, DISCRIMINATOR_STEPS)}
        if record.last_step == 0 and first >= self.patience:
            return self._never("generator", GENERATOR_STEPS, first)
        if (
            seen[GENERATOR_STEPS]
            and not seen[DISCRIMINATOR_STEPS]
            and record.last_step >= self.patience
        ):
            return self._never("discriminator", DISCRIMINATOR_STEPS, float(record.last_step))
        if not seen[GENERATOR_STEPS]:
            return report_too_early(self.condition, 0)
        return None

    def _never(self, player: str, signal: str, others: float) -> Diagnosis:
        text = (
            f"The {player} has never been stepped, while the other player has taken {others:.0f} "
            f"steps. Call step() on the {player}'s optimizer, the one that attach was given."
        )
        meaning = "steps of the other player before its first"
        evidence = (Evidence(signal, others, ">", float(self.patience), True, meaning),)
        return Diagnosis(
            self.condition, "present", text, "never_stepped", 0, player, 1.0, evidence, "loop"
        )

    def _without_gradient(self, record: Record, player: str) -> Diagnosis:
        """No parameter has a gradient, and no backward pass has come through D's scores."""
        steps, still = record[f"loop/without_gradient/{player}"]
        reached = record[f"objective/outputs_fake/{player}"].steps
        faulty = (still > 0.999) & ~np.isin(steps, reached)
        why = (
            " Are the fakes detached, or made under no_grad(), in its own turn?"
            if player == "generator"
            else ""
        )
        text = f"The {player}'s optimizer steps, but no gradient reaches its weights.{why}"
        evidence = (
            compare_median(
                f"loop/without_gradient/{player}",
                still,
                ">",
                0.999,
                "parameters without a gradient",
                4,
            ),
        )
        clear = "Both players are stepped, along gradients of their own."
        return build_diagnosis(self.condition, steps, faulty, "no_gradient", text, clear, evidence)

    def _motionless(self, record: Record, player: str) -> Diagnosis:
        """Gradients are there, yet the weights have never changed."""
        steps, moved = record[f"update/relative/{player}"]
        still = record.at(f"loop/without_gradient/{player}", steps)
        faulty = np.asarray((np.maximum.accumulate(moved) == 0) & (still < 0.999))
        text = (
            f"The {player}'s optimizer steps along a gradient, but its weights have never changed. "
            "Is its learning rate 0, or does it hold other parameters than the network's?"
        )
        evidence = (
            compare_median(
                f"update/relative/{player}", moved, "<", 1e-30, "motion of its weights a step", 4
            ),
        )
        clear = "Both players are stepped, and their weights move."
        return build_diagnosis(self.condition, steps, faulty, "never_moves", text, clear, evidence)
