"""Weight averaging: evaluate the average of a generator that moves around an equilibrium."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from gandiag.scenario.schema import Scenario


@dataclass(frozen=True)
class AveragedGenerator:
    """Sample from a running average of G's weights (Yazici et al. 2019, Karras et al. 2018)."""

    # Number of real samples after which the share of an old weight in the average has halved
    # (Karras et al. 2020 use 10,000).
    half_life: float = 10_000.0

    treats: ClassVar[frozenset[str]] = frozenset({"non_convergence"})
    causes: ClassVar[frozenset[str]] = frozenset({"oscillation"})
    advice: ClassVar[str] = (
        "Keep a running average of the generator's weights, with decay 0.5 ** (batch size / 10000) "
        "at each step, and sample from it. If the training rotates around an equilibrium, the "
        "average is near it. The training itself does not change."
    )

    def apply(self, scenario: Scenario) -> Scenario:
        """Return the scenario with a running average, unless its memory is at least as long."""
        decay = round(0.5 ** (scenario.training.batch_size / self.half_life), 4)
        if scenario.training.averaging >= decay:
            return scenario
        return scenario.set({"training.averaging": decay})
