"""Instance noise: makes real and generated samples overlap, less and less during the run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from gandiag.scenario.schema import Scenario


@dataclass(frozen=True)
class InstanceNoise:
    """Add noise to real and generated samples, falling to 0 over the run (Sønderby et al. 2017)."""

    # Standard deviation of the noise at the first step, relative to that of the real data.
    sd: float = 0.3

    treats: ClassVar[frozenset[str]] = frozenset({"vanishing_gradients", "mode_collapse"})
    # The cause saturated_objective is missing: measured, noise does not restore the gradient of
    # log(1 - D(G(z))).
    causes: ClassVar[frozenset[str]] = frozenset({"flat_discriminator", "discriminator_too_strong"})
    advice: ClassVar[str] = (
        "Add Gaussian noise to all inputs of D, real and generated: at first with 0.3 times the "
        "data's standard deviation, falling to 0 over the run. The two distributions then overlap. "
        "Noise does not fix a saturated log(1 - D(G(z)))."
    )

    def apply(self, scenario: Scenario) -> Scenario:
        """Return the scenario with instance noise, unless it has as much noise or more."""
        if scenario.training.instance_noise.sd >= self.sd:
            return scenario
        return scenario.set({"training.instance_noise": {"sd": self.sd, "until": 1.0}})
