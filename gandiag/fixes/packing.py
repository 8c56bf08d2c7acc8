"""Packing: D scores several samples together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from gandiag.fixes._options import get_option, set_options
from gandiag.scenario.schema import Scenario


@dataclass(frozen=True)
class Packing:
    """Let D score packs of samples, concatenated in its input (PacGAN, Lin et al. 2018)."""

    # Number of samples in a pack (Lin et al. 2018 use 2 to 4).
    size: int = 2

    treats: ClassVar[frozenset[str]] = frozenset({"mode_collapse"})
    causes: ClassVar[frozenset[str]] = frozenset()
    advice: ClassVar[str] = (
        "Let the discriminator score two samples together, both real or both generated, "
        "concatenated in its input; only its first layer grows. D can then reject two samples that "
        "are alike."
    )

    def apply(self, scenario: Scenario) -> Scenario:
        """Return the scenario with packs, if its variant scores single samples."""
        if get_option(scenario, "pack") != 1:
            return scenario
        return set_options(scenario, {"pack": self.size})
