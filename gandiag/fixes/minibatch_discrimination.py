"""Let the discriminator see that samples are alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from gandiag.fixes._options import get_option, set_options
from gandiag.scenario.schema import Scenario


@dataclass(frozen=True)
class MinibatchDiscrimination:
    """Give D the similarity of a batch's samples (Salimans et al. 2016, section 3.2), averaged."""

    treats: ClassVar[frozenset[str]] = frozenset({"mode_collapse"})
    causes: ClassVar[frozenset[str]] = frozenset()
    advice: ClassVar[str] = (
        "Add minibatch discrimination before the discriminator's last layer, so that it sees "
        "how alike the samples of a batch are; the generator can then no longer pass with one "
        "sample."
    )

    def apply(self, scenario: Scenario) -> Scenario:
        """Return the scenario with minibatch discrimination in D, averaged over the batch."""
        if get_option(scenario, "average") is False:  # on MNIST, batch 64, the sum did not cure
            return set_options(scenario, {"average": True})
        if get_option(scenario, "minibatch") in (None, "discrimination"):
            return scenario
        return set_options(scenario, {"minibatch": "discrimination"})
