"""Lower learning rates: smaller steps of both networks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from gandiag.scenario.schema import Scenario


@dataclass(frozen=True)
class LowerLearningRate:
    """Divide both learning rates by 5 (Mescheder et al. 2018)."""

    # Number by which both learning rates are divided.
    factor: float = 5.0

    treats: ClassVar[frozenset[str]] = frozenset({"non_convergence"})
    causes: ClassVar[frozenset[str]] = frozenset()
    advice: ClassVar[str] = (
        "Divide both learning rates by 5: the steps of gradient descent drive a rotation around an "
        "equilibrium outwards, and smaller steps do so less."
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
