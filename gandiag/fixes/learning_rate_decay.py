"""Learning rate decay: lets the training converge in the second half of the run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from gandiag.scenario.schema import Scenario


@dataclass(frozen=True)
class LearningRateDecay:
    """Decrease both rates linearly to 0 from mid-run on (published code of Miyato et al. 2018)."""

    # Share of the run's steps after which the learning rates begin to fall.
    start: float = 0.5

    treats: ClassVar[frozenset[str]] = frozenset({"non_convergence"})
    causes: ClassVar[frozenset[str]] = frozenset({"oscillation", "regression"})
    advice: ClassVar[str] = (
        "Decrease both learning rates linearly to 0 over the second half of the run: a rotation "
        "around an equilibrium then shrinks. This does not help a discriminator that cannot keep "
        "up with the generator."
    )

    def apply(self, scenario: Scenario) -> Scenario:
        """Return the scenario with falling rates, unless they fall as early or earlier."""
        if scenario.training.decay_from <= self.start:
            return scenario
        return scenario.set({"training.decay_from": self.start})
