"""Make samples pay by their distance from the target score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from gandiag.fixes._options import get_option, set_options
from gandiag.scenario.schema import Scenario


@dataclass(frozen=True)
class LeastSquares:
    """Pull scores to targets by their squares: 0 and 1 for D, 1 for G (Mao et al. 2017, eq. 9)."""

    treats: ClassVar[frozenset[str]] = frozenset({"vanishing_gradients"})
    causes: ClassVar[frozenset[str]] = frozenset({"saturated_objective"})
    advice: ClassVar[str] = (
        "Let D minimise the squared distances of its scores from 1 on reals and 0 on fakes, G "
        "those of the fakes from 1, without a sigmoid: the surer D is, the larger G's slope. "
        "With D unbounded it may still collapse or diverge."
    )

    def apply(self, scenario: Scenario) -> Scenario:
        """Return the scenario with least squares in place of cross-entropy."""
        if get_option(scenario, "objective") not in ("saturating", "non_saturating"):
            return scenario
        return set_options(scenario, {"objective": "least_squares"})
