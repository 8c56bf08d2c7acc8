"""Let the discriminator learn faster than the generator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from gandiag.scenario.schema import Scenario


@dataclass(frozen=True)
class TwoTimeScales:
    """A larger learning rate for D than for G (Heusel et al. 2017)."""

    ratio: float = 4.0  # of D's rate to G's; G's is lowered (Zhang et al. 2019, SAGAN: 4e-4, 1e-4)

    treats: ClassVar[frozenset[str]] = frozenset({"mode_collapse", "non_convergence"})
    causes: ClassVar[frozenset[str]] = frozenset(
        {"discriminator_too_weak", "hopping", "oscillation"}
    )
    advice: ClassVar[str] = (
        "Lower the generator's learning rate to a quarter of the discriminator's, as with 4e-4 "
        "and 1e-4: D then keeps up without further steps."
    )

    def apply(self, scenario: Scenario) -> Scenario:
        """Return the scenario with a lower rate for G, if both optimizers are of one kind."""
        training = scenario.training
        slow, fast = training.generator.optimizer, training.discriminator.optimizer
        if slow.name != fast.name or slow.lr * self.ratio <= fast.lr:
            return scenario
        return scenario.set({"training.generator.optimizer.lr": fast.lr / self.ratio})
