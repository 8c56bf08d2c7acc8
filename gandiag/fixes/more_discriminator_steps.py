"""More discriminator steps: against a discriminator that cannot keep up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from gandiag.scenario.schema import Scenario


@dataclass(frozen=True)
class MoreDiscriminatorSteps:
    """Take more D steps for each G step (Goodfellow et al. 2014, algorithm 1)."""

    treats: ClassVar[frozenset[str]] = frozenset({"mode_collapse", "non_convergence"})
    causes: ClassVar[frozenset[str]] = frozenset(
        {"discriminator_too_weak", "hopping", "oscillation"}
    )
    advice: ClassVar[str] = (
        "Let the discriminator keep up: take one generator step for each discriminator step; if "
        "the loop does so already, take two discriminator steps for each generator step."
    )

    def apply(self, scenario: Scenario) -> Scenario:
        """Return the scenario with more discriminator steps for each generator step."""
        if scenario.training.generator.steps > 1:
            return scenario.set({"training.generator.steps": 1})
        steps = scenario.training.discriminator.steps
        return scenario.set({"training.discriminator.steps": 2 * steps})
