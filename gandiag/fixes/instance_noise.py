"""Blur what the discriminator sees, less and less."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from gandiag.scenario.schema import Scenario


@dataclass(frozen=True)
class InstanceNoise:
    """Noise on real and fake samples that fades over the run (Sønderby et al. 2017)."""

    sd: float = 0.3  # at first, over the real data's own standard deviation

    treats: ClassVar[frozenset[str]] = frozenset({"vanishing_gradients", "mode_collapse"})
    causes: ClassVar[frozenset[str]] = frozenset(
        {"flat_discriminator", "discriminator_too_strong"}  # measured: no cure for minimax
    )
    advice: ClassVar[str] = (
        "Add Gaussian noise to all that the discriminator sees, real and fake, at first 0.3 times "
        "the data's standard deviation, falling to 0 over the run: the nearer the two are, the "
        "more they overlap. It does not bring back the slope of log(1 - D(G(z)))."
    )

    def apply(self, scenario: Scenario) -> Scenario:
        """Return the scenario with instance noise, where it has less."""
        if scenario.training.instance_noise.sd >= self.sd:
            return scenario
        return scenario.set({"training.instance_noise": {"sd": self.sd, "until": 1.0}})
