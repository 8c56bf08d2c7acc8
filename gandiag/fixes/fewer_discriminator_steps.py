"""Weaken a discriminator that is too strong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from gandiag.scenario.schema import Scenario


@dataclass(frozen=True)
class FewerDiscriminatorSteps:
    """One discriminator step for each generator step."""

    treats: ClassVar[frozenset[str]] = frozenset({"vanishing_gradients", "mode_collapse"})
    causes: ClassVar[frozenset[str]] = frozenset(
        {"discriminator_too_strong", "saturated_objective"}
    )
    advice: ClassVar[str] = (
        "Step the discriminator once for each generator step: it need not be optimal, only ahead."
    )

    def apply(self, scenario: Scenario) -> Scenario:
        """Return the scenario with one discriminator step an iteration."""
        return scenario.set({"training.discriminator.steps": 1})
