"""Gradient penalty: keeps the discriminator's gradient norm near 1 between real and generated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from gandiag.fixes._options import get_option, has_point_data, set_options
from gandiag.scenario.schema import Scenario


@dataclass(frozen=True)
class GradientPenalty:
    """Penalise (||grad D|| - 1)^2 between real and fake (Gulrajani et al. 2017, equation 3)."""

    # Weight of the penalty for images (Gulrajani et al. 2017, lambda in algorithm 1).
    weight: float = 10.0
    # Weight of the penalty for points (Gulrajani et al. 2017, code for toy data).
    points: float = 0.1

    treats: ClassVar[frozenset[str]] = frozenset(
        {"vanishing_gradients", "mode_collapse", "non_convergence"}
        | {"unbounded_critic", "saturated_clipping"}
    )
    causes: ClassVar[frozenset[str]] = frozenset(
        {"saturated_objective", "flat_discriminator", "discriminator_too_strong", "divergence"}
        | {"no_bound", "saturated"}
    )
    advice: ClassVar[str] = (
        "Add 10 * E (||grad D(x')|| - 1)^2 to D's loss (0.1 for points), with x' at random between "
        "a real and a generated sample, and remove BatchNorm from D. D's gradient then neither "
        "vanishes nor explodes between generated and real samples."
    )

    def apply(self, scenario: Scenario) -> Scenario:
        """Return the scenario with a gradient penalty, unless its variant has one."""
        weight = self.points if has_point_data(scenario) else self.weight
        if get_option(scenario, "lipschitz") == "clip":  # the variant linear_critic
            return set_options(scenario, {"lipschitz": "gradient_penalty", "penalty": weight})
        if get_option(scenario, "gradient_penalty") != 0:
            return scenario
        changes: dict[str, object] = {"gradient_penalty": weight}
        if get_option(scenario, "clip"):  # the penalty replaces clipping as the bound on D
            changes["clip"] = 0.0
        if get_option(scenario, "batch_norm"):
            # The penalty is about the gradient at single samples; with BatchNorm, a score depends
            # on all samples of the batch (Gulrajani et al. 2017, section 4).
            changes["batch_norm"] = False
        return set_options(scenario, changes)
