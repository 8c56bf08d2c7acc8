"""Let the discriminator judge several samples together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from gandiag.fixes._options import get_option, set_options
from gandiag.scenario.schema import Scenario


@dataclass(frozen=True)
class Packing:
    """D scores packs of samples side by side (PacGAN, Lin et al. 2018)."""

    size: int = 2  # samples in a pack (paper: 2 to 4)

    treats: ClassVar[frozenset[str]] = frozenset({"mode_collapse"})
    causes: ClassVar[frozenset[str]] = frozenset()
    advice: ClassVar[str] = (
        "Let the discriminator score two samples together, both real or both fake, side by "
        "side in its input; only its first layer grows. Two samples alike are then suspicious."
    )

    def apply(self, scenario: Scenario) -> Scenario:
        """Return the scenario with packs, where its variant has them and scores single samples."""
        if get_option(scenario, "pack") != 1:
            return scenario
        return set_options(scenario, {"pack": self.size})
