"""Smaller generator steps: for a generator whose samples leave the range of the data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from gandiag.scenario.schema import Scenario


@dataclass(frozen=True)
class SmallerGeneratorStep:
    """Divide the generator's learning rate by 10."""

    # Number by which the generator's learning rate is divided.
    factor: float = 10.0

    treats: ClassVar[frozenset[str]] = frozenset({"out_of_range"})
    causes: ClassVar[frozenset[str]] = frozenset()
    advice: ClassVar[str] = "Divide the generator's learning rate by 10."

    def apply(self, scenario: Scenario) -> Scenario:
        """Return the scenario with smaller generator steps."""
        rate = scenario.training.generator.optimizer.lr / self.factor
        return scenario.set({"training.generator.optimizer.lr": rate})
