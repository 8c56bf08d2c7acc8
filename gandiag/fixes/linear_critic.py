"""Replace the classifier by a critic whose slope does not vanish."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from gandiag.scenario import Scenario

__all__ = ["LinearCritic"]


@dataclass(frozen=True)
class LinearCritic:
    """Play the Wasserstein game with a gradient penalty (Gulrajani et al. 2017, algorithm 1)."""

    critic_steps: int = 3  # updates of the critic an iteration (paper: 5)
    treats: ClassVar[frozenset[str]] = frozenset(
        {"vanishing_gradients", "mode_collapse", "non_convergence"}
    )
    causes: ClassVar[frozenset[str]] = frozenset()
    advice: ClassVar[str] = (
        "Use a linear critic: no sigmoid, loss E D(G(z)) - E D(x), gradient penalty 10, 3 to 5 "
        "critic steps, Adam 5e-4 (0.5, 0.9). Its slope at the fakes does not die as it gets better."
    )

    def apply(self, scenario: Scenario) -> Scenario:
        """Return the scenario with a linear critic and the settings that go with it."""
        if scenario.variant.name == "linear_critic":
            return scenario
        kept = {k: v for k, v in scenario.variant.options.items() if k in ("latent_size", "width")}
        adam = {"name": "adam", "lr": 5e-4, "betas": [0.5, 0.9]}
        return scenario.set(
            {
                "variant": {"linear_critic": kept},
                "training.discriminator": {"steps": self.critic_steps, "optimizer": adam},
                "training.generator": {"steps": 1, "optimizer": adam},
            }
        )
