"""Replace the classifier by a critic whose slope does not vanish."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from gandiag.fixes._options import has_point_data, get_option, set_options
from gandiag.scenario.schema import Scenario

# What a critic does without: targets, other bounds, and scores that depend on each other.
OTHERS = {"label_smoothing": 0.0, "r1": 0.0, "clip": 0.0, "batch_norm": False}


@dataclass(frozen=True)
class LinearCritic:
    """Play the Wasserstein game with a gradient penalty (Gulrajani et al. 2017, algorithm 1)."""

    critic_steps: int = 3  # updates of the critic an iteration (paper: 5)
    weight: float = 10.0  # of the gradient penalty, for images (the paper's lambda)
    points: float = 0.1  # of the gradient penalty, for points (the paper's toy code)

    treats: ClassVar[frozenset[str]] = frozenset(
        {"vanishing_gradients", "mode_collapse", "non_convergence"}
    )
    causes: ClassVar[frozenset[str]] = frozenset()
    advice: ClassVar[str] = (
        "Use a linear critic: no sigmoid, loss E D(G(z)) - E D(x), gradient penalty 10, 3 to 5 "
        "critic steps, Adam 5e-4 (0.5, 0.9). Its slope at the fakes does not die as it gets "
        "better."
    )

    def apply(self, scenario: Scenario) -> Scenario:
        """Return the scenario with a linear critic and the settings that go with it."""
        if get_option(scenario, "objective") in (None, "wasserstein"):
            return scenario
        weight = self.points if has_point_data(scenario) else self.weight
        known = {key: off for key, off in OTHERS.items() if get_option(scenario, key)}
        critic = set_options(
            scenario, {"objective": "wasserstein", "gradient_penalty": weight, **known}
        )
        if critic == scenario:
            return scenario
        adam = {"name": "adam", "lr": 5e-4, "betas": [0.5, 0.9]}
        return critic.set(
            {
                "training.discriminator": {"steps": self.critic_steps, "optimizer": adam},
                "training.generator": {"steps": 1, "optimizer": adam},
            }
        )
