"""Let the discriminator see how varied a batch is, cheaply."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from gandiag.fixes._options import get_option, set_options
from gandiag.scenario.schema import Scenario


@dataclass(frozen=True)
class MinibatchStddev:
    """Give D the deviation of its features over the batch (Karras et al. 2018, section 3)."""

    treats: ClassVar[frozenset[str]] = frozenset({"mode_collapse"})
    causes: ClassVar[frozenset[str]] = frozenset()
    advice: ClassVar[str] = (
        "Append to the features before the discriminator's last layer their standard deviation "
        "over the batch, averaged to one number. It costs next to nothing, and a batch that "
        "lacks variety shows."
    )

    def apply(self, scenario: Scenario) -> Scenario:
        """Return the scenario with that feature in D, where it sees nothing of its batch yet."""
        if get_option(scenario, "minibatch") != "none":
            return scenario
        return set_options(scenario, {"minibatch": "stddev"})
