"""Strengthen a discriminator that is outrun."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from gandiag.scenario.schema import Scenario


@dataclass(frozen=True)
class MoreDiscriminatorSteps:
    """One generator step for each discriminator step, or two of D's where that is so already."""

    treats: ClassVar[frozenset[str]] = frozenset({"mode_collapse", "non_convergence"})
    causes: ClassVar[frozenset[str]] = frozenset(
        {"discriminator_too_weak", "hopping", "oscillation"}
    )
    advice: ClassVar[str] = (
        "Let the discriminator keep up: step the generator once for each discriminator step, or "
        "the discriminator twice where that is so already."
    )

    def apply(self, scenario: Scenario) -> Scenario:
        """Return the scenario with more discriminator steps for each generator step."""
        if scenario.training.generator.steps > 1:
            return scenario.set({"training.generator.steps": 1})
        steps = scenario.training.discriminator.steps
        return scenario.set({"training.discriminator.steps": 2 * steps})
