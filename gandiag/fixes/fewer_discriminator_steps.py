"""Fewer discriminator steps: against a discriminator that is too strong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from gandiag.scenario.schema import Scenario


@dataclass(frozen=True)
class FewerDiscriminatorSteps:
    """Take one discriminator step for each generator step (Goodfellow et al. 2014, algorithm 1)."""

    treats: ClassVar[frozenset[str]] = frozenset({"vanishing_gradients", "mode_collapse"})
    causes: ClassVar[frozenset[str]] = frozenset(
        {"discriminator_too_strong", "saturated_objective"}
    )
    advice: ClassVar[str] = (
        "Take one discriminator step for each generator step: D need not be optimal, it only needs "
        "to be better than the generator."
    )

    def apply(self, scenario: Scenario) -> Scenario:
        """Return the scenario with one discriminator step in each iteration."""
        return scenario.set({"training.discriminator.steps": 1})
