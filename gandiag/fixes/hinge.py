"""Give the generator a slope that does not depend on the score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from gandiag.fixes._options import get_option, set_options
from gandiag.scenario.schema import Scenario


@dataclass(frozen=True)
class Hinge:
    """Play for a margin; G's slope is 1 everywhere (Lim & Ye 2017; Miyato et al. 2018)."""

    treats: ClassVar[frozenset[str]] = frozenset({"vanishing_gradients"})
    causes: ClassVar[frozenset[str]] = frozenset({"saturated_objective"})
    advice: ClassVar[str] = (
        "Use the hinge: D minimises relu(1 - D(x)) + relu(1 + D(G(z))), G -D(G(z)), without a "
        "sigmoid. G's slope is 1 at any score. Bound D too, with spectral norm or R1: alone "
        "the hinge does not keep a game stable."
    )

    def apply(self, scenario: Scenario) -> Scenario:
        """Return the scenario with the hinge in place of cross-entropy."""
        if get_option(scenario, "objective") not in ("saturating", "non_saturating"):
            return scenario
        return set_options(scenario, {"objective": "hinge", "label_smoothing": 0.0})
