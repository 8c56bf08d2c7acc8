"""Judge the average of a game that circles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from gandiag.scenario.schema import Scenario


@dataclass(frozen=True)
class AveragedGenerator:
    """Show a running average of the generator (Yazici et al. 2019; Karras et al. 2018, A.1)."""

    half_life: float = 10_000.0  # real samples seen while a weight's share halves (Karras 2020)

    treats: ClassVar[frozenset[str]] = frozenset({"non_convergence"})
    causes: ClassVar[frozenset[str]] = frozenset({"oscillation"})
    advice: ClassVar[str] = (
        "Keep a running average of the generator's weights, decay 0.5 ** (batch / 10000) a "
        "step, and sample from it: a game that circles an equilibrium has it in its middle. "
        "The players themselves go on as before."
    )

    def apply(self, scenario: Scenario) -> Scenario:
        """Return the scenario with a running average, where there is none or a shorter one."""
        decay = round(0.5 ** (scenario.training.batch_size / self.half_life), 4)
        if scenario.training.averaging >= decay:
            return scenario
        return scenario.set({"training.averaging": decay})
