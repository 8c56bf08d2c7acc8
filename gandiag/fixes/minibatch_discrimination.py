"""Minibatch discrimination: D learns to detect batches of similar samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from gandiag.fixes._options import get_option, set_options
from gandiag.scenario.schema import Scenario


@dataclass(frozen=True)
class MinibatchDiscrimination:
    """Give D the average similarity of a batch's samples (Salimans et al. 2016, section 3.2)."""

    treats: ClassVar[frozenset[str]] = frozenset({"mode_collapse"})
    causes: ClassVar[frozenset[str]] = frozenset()
    advice: ClassVar[str] = (
        "Add minibatch discrimination before the discriminator's last layer: D then gets the "
        "similarity of the samples in a batch and rejects a generator that always generates the "
        "same sample."
    )

    def apply(self, scenario: Scenario) -> Scenario:
        """Return the scenario with minibatch discrimination in D, averaged over the batch."""
        # The paper sums similarities over the batch. On MNIST with batches of 64, the sum did not
        # fix the collapse and the average did: the sum grows with the batch.
        if get_option(scenario, "average") is False:
            return set_options(scenario, {"average": True})
        if get_option(scenario, "minibatch") in (None, "discrimination"):
            return scenario
        return set_options(scenario, {"minibatch": "discrimination"})
