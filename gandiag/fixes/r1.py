"""R1 penalty: keeps the discriminator's gradient small at the real data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from gandiag.fixes._options import get_option, has_point_data, set_options
from gandiag.scenario.schema import Scenario


@dataclass(frozen=True)
class R1:
    """Penalise ||grad D(x)||^2 on real samples (Mescheder et al. 2018, equation 9)."""

    # Weight of the penalty for images (the published code of Mescheder et al. 2018 uses 10 to 20).
    gamma: float = 10.0
    # Weight of the penalty for points: gradients are relative to the unit of the data.
    points: float = 0.1

    treats: ClassVar[frozenset[str]] = frozenset({"mode_collapse", "non_convergence"})
    causes: ClassVar[frozenset[str]] = frozenset()
    advice: ClassVar[str] = (
        "Add gamma / 2 * E ||grad D(x)||^2 over real samples x to the discriminator's loss (R1; "
        "gamma 10 for images, 0.1 for points). D then stays smooth at the data, and training "
        "converges near an equilibrium."
    )

    def apply(self, scenario: Scenario) -> Scenario:
        """Return the scenario with an R1 penalty, unless the penalty is as strong already."""
        gamma = self.points if has_point_data(scenario) else self.gamma
        current = get_option(scenario, "r1")
        if current is None or current >= gamma:
            return scenario
        return set_options(scenario, {"r1": gamma})
