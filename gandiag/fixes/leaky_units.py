"""Let no unit go dead or saturated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from gandiag.fixes._options import get_option, set_options
from gandiag.scenario.schema import Scenario


@dataclass(frozen=True)
class LeakyUnits:
    """LeakyReLU 0.2 in the hidden layers of both networks (Radford et al. 2016, section 4)."""

    treats: ClassVar[frozenset[str]] = frozenset({"vanishing_gradients"})
    causes: ClassVar[frozenset[str]] = frozenset({"generator_layers", "flat_discriminator"})
    advice: ClassVar[str] = (
        "Use LeakyReLU with slope 0.2 in the hidden layers, in place of ReLU, whose units go "
        "dead, or tanh and sigmoid, which saturate: it passes a gradient on at any input."
    )

    def apply(self, scenario: Scenario) -> Scenario:
        """Return the scenario with leaky units, where its variant has a choice of them."""
        if get_option(scenario, "activation") not in ("relu", "tanh", "sigmoid"):
            return scenario
        return set_options(scenario, {"activation": "leaky_relu"})
