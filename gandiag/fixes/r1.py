"""Bound the discriminator's slope at the real data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from gandiag.scenario import Scenario

__all__ = ["R1"]


@dataclass(frozen=True)
class R1:
    """Penalise ||grad D(x)||^2 on real samples (Mescheder et al. 2018, equation 9)."""

    gamma: float = 10.0  # weight; GAN_stability's configurations use 10 to 20 for images
    treats: ClassVar[frozenset[str]] = frozenset({"mode_collapse", "non_convergence"})
    causes: ClassVar[frozenset[str]] = frozenset()
    advice: ClassVar[str] = (
        "Add gamma / 2 * E ||grad D(x)||^2 over real x to the discriminator's loss (R1, gamma 10). "
        "It keeps D smooth at the data and makes the game converge locally."
    )

    def apply(self, scenario: Scenario) -> Scenario:
        """Return the scenario with an R1 penalty, where its variant has one."""
        variant = scenario.variant
        if variant.name not in ("vanilla", "minibatch_discrimination"):
            return scenario
        if variant.options.get("r1", 0.0) >= self.gamma:
            return scenario
        return scenario.set({f"variant.{scenario.variant.name}.r1": self.gamma})
