"""Take smaller steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from gandiag.scenario.schema import Scenario


@dataclass(frozen=True)
class LowerLearningRate:
    """Lower both players' learning rates."""

    factor: float = 5.0  # by which they are divided
    treats: ClassVar[frozenset[str]] = frozenset({"non_convergence"})
    causes: ClassVar[frozenset[str]] = frozenset()
    advice: ClassVar[str] = (
        "Divide both learning rates by 5: the rotation around an equilibrium grows with the step."
    )

    def apply(self, scenario: Scenario) -> Scenario:
        """Return the scenario with lower learning rates."""
        training = scenario.training
        return scenario.set(
            {
                "training.generator.optimizer.lr": training.generator.optimizer.lr / self.factor,
                "training.discriminator.optimizer.lr": training.discriminator.optimizer.lr
                / self.factor,
            }
        )
