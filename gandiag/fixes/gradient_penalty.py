"""Hold the discriminator's slope near 1 between the data and the fakes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from gandiag.fixes._options import has_point_data, get_option, set_options
from gandiag.scenario.schema import Scenario


@dataclass(frozen=True)
class GradientPenalty:
    """Penalise (||grad D|| - 1)^2 between real and fake (Gulrajani et al. 2017, equation 3)."""

    weight: float = 10.0  # for images (the paper's lambda)
    points: float = 0.1  # for points (the paper's toy code)

    treats: ClassVar[frozenset[str]] = frozenset(
        {"vanishing_gradients", "mode_collapse", "non_convergence"}
        | {"unbounded_critic", "saturated_clipping"}
    )
    causes: ClassVar[frozenset[str]] = frozenset(
        {"saturated_objective", "flat_discriminator", "discriminator_too_strong", "divergence"}
        | {"no_bound", "saturated"}
    )
    advice: ClassVar[str] = (
        "Add 10 * E (||grad D(x')|| - 1)^2 to the discriminator's loss, x' at random between a "
        "real sample and a fake (0.1 for points), and take BatchNorm out of D. Its slope then "
        "neither dies nor explodes on the way from fakes to data."
    )

    def apply(self, scenario: Scenario) -> Scenario:
        """Return the scenario with a gradient penalty, where its variant has none yet."""
        weight = self.points if has_point_data(scenario) else self.weight
        if get_option(scenario, "lipschitz") == "clip":
            return set_options(scenario, {"lipschitz": "gradient_penalty", "penalty": weight})
        if get_option(scenario, "gradient_penalty") != 0:
            return scenario
        changes: dict[str, object] = {"gradient_penalty": weight}
        if get_option(scenario, "clip"):  # one bound is enough
            changes["clip"] = 0.0
        if get_option(scenario, "batch_norm"):  # scores must not depend on each other (section 4)
            changes["batch_norm"] = False
        return set_options(scenario, changes)
