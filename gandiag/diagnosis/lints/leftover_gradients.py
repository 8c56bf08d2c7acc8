"""Left-over gradients: a network steps with gradients that are not only those of its own loss.

The generator's backward pass goes through the discriminator and adds to its gradients. The
discriminator's backward pass adds to the generator's gradients where the samples are not detached.
Unless these gradients are cleared before the network's own backward pass, its optimizer adds the
opponent's gradient to its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from gandiag.diagnosis.diagnosis import About, Diagnosis, compare_median
from gandiag.diagnosis.lints._answer import WINDOW, build_diagnosis
from gandiag.monitoring.signals import DISCRIMINATOR_LEFTOVER, FOREIGN_GRADIENT
from gandiag.records.record import Record


@dataclass(frozen=True)
class LeftoverGradients:
    """A network's gradients are not cleared before its own backward pass."""

    # The bug is present above this norm of the left-over gradients, as a share of the gradient norm
    # at the step; cleared gradients are exactly 0.
    share: float = 1e-6

    condition: ClassVar[str] = "leftover_gradients"
    needs: ClassVar[frozenset[str]] = frozenset({DISCRIMINATOR_LEFTOVER})
    about: ClassVar[About] = "loop"

    def detect(self, record: Record) -> Diagnosis:
        """Check the order of passes and steps, then each network's gradients before its pass."""
        order = self._check_order(record)
        if order.status == "present":
            return order
        found = [self._check_network(record, name) for name in ("discriminator", "generator")]
        return next((each for each in found if each.status == "present"), found[0])

    def _check_network(self, record: Record, network: str) -> Diagnosis:
        name = f"loop/leftover_gradient/{network}"
        steps, leftover = record[name]
        other = "generator" if network == "discriminator" else "discriminator"
        hint = "" if network == "discriminator" else ", and detach the samples in D's step"
        found = (
            f"When the {network}'s own backward pass begins, its gradients are not zero: they have "
            f"those of the {other}'s step, for example. Call zero_grad() on the {network}'s "
            f"optimizer before that pass{hint}."
        )
        clear = "Each network's gradients are cleared before its own backward pass."
        evidence = (compare_median(name, leftover, ">", self.share, evaluations=WINDOW),)
        faulty = leftover > self.share
        return build_diagnosis(self.condition, steps, faulty, network, found, clear, evidence)

    def _check_order(self, record: Record) -> Diagnosis:
        """Check that G's backward pass is not between D's backward pass and D's step."""
        steps, is_foreign = record[FOREIGN_GRADIENT]
        found = (
            "The generator's backward pass is between the discriminator's backward pass and its "
            "step, and adds to the discriminator's gradients. Step the discriminator before the "
            "generator's backward pass, or clear the gradients and compute them again."
        )
        clear = "Nothing is added to the discriminator's gradients before its step."
        evidence = (compare_median(FOREIGN_GRADIENT, is_foreign, ">", 0.5, evaluations=WINDOW),)
        faulty = np.asarray(is_foreign > 0.5)
        return build_diagnosis(self.condition, steps, faulty, "overlaid", found, clear, evidence)
