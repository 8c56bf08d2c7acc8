"""Let the game come to rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from gandiag.scenario.schema import Scenario


@dataclass(frozen=True)
class LearningRateDecay:
    """Both rates fall linearly to 0 over the run's second half (code of Miyato et al. 2018)."""

    start: float = 0.5  # share of the steps before the rates begin to fall

    treats: ClassVar[frozenset[str]] = frozenset({"non_convergence"})
    causes: ClassVar[frozenset[str]] = frozenset({"oscillation", "regression"})
    advice: ClassVar[str] = (
        "Let both learning rates fall linearly to 0 over the second half of the run: what "
        "circles an equilibrium circles ever closer. A generator that is outrunning D at that "
        "time is not helped."
    )

    def apply(self, scenario: Scenario) -> Scenario:
        """Return the scenario with falling rates, where they do not fall as early already."""
        if scenario.training.decay_from <= self.start:
            return scenario
        return scenario.set({"training.decay_from": self.start})
