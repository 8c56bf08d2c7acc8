"""Take away the momentum that keeps a game turning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from gandiag.scenario.schema import Scenario


@dataclass(frozen=True)
class LowerMomentum:
    """Lower Adam's beta1 (Radford et al. 2016, section 4), and drop SGD's momentum."""

    beta1: float = 0.5  # decay of Adam's first moment
    treats: ClassVar[frozenset[str]] = frozenset({"non_convergence", "mode_collapse"})
    causes: ClassVar[frozenset[str]] = frozenset()
    advice: ClassVar[str] = (
        "Set Adam's beta1 to 0.5 or 0 instead of 0.9, and use no momentum with SGD: what "
        "speeds one network up keeps two from settling."
    )

    def apply(self, scenario: Scenario) -> Scenario:
        """Return the scenario with less momentum."""
        changes: dict[str, object] = {}
        for player in ("generator", "discriminator"):
            optimizer = getattr(scenario.training, player).optimizer
            key = f"training.{player}.optimizer"
            if optimizer.name == "adam" and optimizer.betas[0] > self.beta1:
                changes[f"{key}.betas"] = [self.beta1, optimizer.betas[1]]
            if optimizer.name == "sgd" and optimizer.momentum > 0:
                changes[f"{key}.momentum"] = 0.0
        return scenario.set(changes)
