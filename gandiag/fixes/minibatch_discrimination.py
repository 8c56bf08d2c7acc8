"""Let the discriminator see that samples are alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from gandiag.scenario import Scenario

__all__ = ["MinibatchDiscrimination"]


@dataclass(frozen=True)
class MinibatchDiscrimination:
    """Give D the similarity of a batch's samples (Salimans et al. 2016, section 3.2)."""

    average: bool = True  # on MNIST with batches of 64 the paper's plain sum did not cure, this did

    treats: ClassVar[frozenset[str]] = frozenset({"mode_collapse"})
    causes: ClassVar[frozenset[str]] = frozenset()
    advice: ClassVar[str] = (
        "Add minibatch discrimination before the discriminator's last layer, so that it sees how "
        "alike the samples of a batch are; the generator can then no longer pass with one sample."
    )

    def apply(self, scenario: Scenario) -> Scenario:
        """Return the scenario with minibatch discrimination in its discriminator."""
        if scenario.variant.name != "vanilla":
            return scenario
        options = {**scenario.variant.options, "average": self.average}
        chosen = {"minibatch_discrimination": options}
        return scenario.set({"variant": chosen})
