"""Lower momentum: against a training that rotates around an equilibrium."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from gandiag.scenario.schema import Scenario


@dataclass(frozen=True)
class LowerMomentum:
    """Lower Adam's beta1 to 0.5 and SGD's momentum to 0 (Radford et al. 2016, section 4)."""

    # Decay of Adam's first moment, at most (Radford et al. 2016, section 4, found 0.9 unstable).
    beta1: float = 0.5

    treats: ClassVar[frozenset[str]] = frozenset({"non_convergence", "mode_collapse"})
    causes: ClassVar[frozenset[str]] = frozenset()
    advice: ClassVar[str] = (
        "Set Adam's beta1 to 0.5 or 0 instead of 0.9, and use no momentum with SGD: momentum "
        "speeds up a single network, but it keeps two networks from converging."
    )

    def apply(self, scenario: Scenario) -> Scenario:
        """Return the scenario with less momentum; RMSprop has none."""
        changes: dict[str, object] = {}
        for network in ("generator", "discriminator"):
            optimizer = getattr(scenario.training, network).optimizer
            key = f"training.{network}.optimizer"
            if optimizer.name == "adam" and optimizer.betas[0] > self.beta1:
                changes[f"{key}.betas"] = [self.beta1, optimizer.betas[1]]
            if optimizer.name == "sgd" and optimizer.momentum > 0:
                changes[f"{key}.momentum"] = 0.0
        return scenario.set(changes)
