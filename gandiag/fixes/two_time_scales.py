"""Two time scales: the discriminator learns faster than the generator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from gandiag.scenario.schema import Scenario


@dataclass(frozen=True)
class TwoTimeScales:
    """Use a larger learning rate for D than for G (TTUR, Heusel et al. 2017)."""

    # Ratio of D's learning rate to G's, which is lowered (Zhang et al. 2019 use 4e-4 and 1e-4).
    ratio: float = 4.0

    treats: ClassVar[frozenset[str]] = frozenset({"mode_collapse", "non_convergence"})
    causes: ClassVar[frozenset[str]] = frozenset(
        {"discriminator_too_weak", "hopping", "oscillation"}
    )
    advice: ClassVar[str] = (
        "Lower the generator's learning rate to a quarter of the discriminator's, for example 4e-4 "
        "for D and 1e-4 for G: D then keeps up without additional steps."
    )

    def apply(self, scenario: Scenario) -> Scenario:
        """Return the scenario with a lower rate for G, if both optimizers are of the same type.

        The learning rates of different optimizers cannot be compared.
        """
        training = scenario.training
        slow, fast = training.generator.optimizer, training.discriminator.optimizer
        if slow.name != fast.name or slow.lr * self.ratio <= fast.lr:
            return scenario
        return scenario.set({"training.generator.optimizer.lr": fast.lr / self.ratio})
