"""Bound the discriminator's slope at the real data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from gandiag.fixes._options import has_point_data, get_option, set_options
from gandiag.scenario.schema import Scenario


@dataclass(frozen=True)
class R1:
    """Penalise ||grad D(x)||^2 on real samples (Mescheder et al. 2018, equation 9)."""

    gamma: float = 10.0  # weight for images; GAN_stability's configurations use 10 to 20
    points: float = 0.1  # weight for points, whose slopes are in other units

    treats: ClassVar[frozenset[str]] = frozenset({"mode_collapse", "non_convergence"})
    causes: ClassVar[frozenset[str]] = frozenset()
    advice: ClassVar[str] = (
        "Add gamma / 2 * E ||grad D(x)||^2 over real x to the discriminator's loss (R1, gamma "
        "10 for images, 0.1 for points). It keeps D smooth at the data and makes the game "
        "converge locally."
    )

    def apply(self, scenario: Scenario) -> Scenario:
        """Return the scenario with an R1 penalty, where its variant has no stronger one."""
        gamma = self.points if has_point_data(scenario) else self.gamma
        there = get_option(scenario, "r1")
        if there is None or there >= gamma:
            return scenario
        return set_options(scenario, {"r1": gamma})
