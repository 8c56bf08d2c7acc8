"""Wasserstein critic: replaces the classifier, whose gradient vanishes where it is certain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from gandiag.fixes._options import get_option, has_point_data, set_options
from gandiag.scenario.schema import Scenario

# Options of a classifier that a critic does not use: it has no targets, the gradient penalty is its
# only bound, and its score of a sample must not depend on the rest of the batch.
UNUSED_OPTIONS = {"label_smoothing": 0.0, "r1": 0.0, "clip": 0.0, "batch_norm": False}


@dataclass(frozen=True)
class LinearCritic:
    """Use a Wasserstein critic with gradient penalty (Gulrajani et al. 2017, algorithm 1)."""

    # Critic steps for each generator step (Gulrajani et al. 2017, algorithm 1, use 5).
    critic_steps: int = 3
    # Weight of the gradient penalty for images (Gulrajani et al. 2017, lambda in algorithm 1).
    weight: float = 10.0
    # Weight of the gradient penalty for points (Gulrajani et al. 2017, code for toy data).
    points: float = 0.1

    treats: ClassVar[frozenset[str]] = frozenset(
        {"vanishing_gradients", "mode_collapse", "non_convergence"}
    )
    causes: ClassVar[frozenset[str]] = frozenset()
    advice: ClassVar[str] = (
        "Use a Wasserstein critic: no sigmoid, loss E D(G(z)) - E D(x), gradient penalty 10, 3 to "
        "5 critic steps, Adam 5e-4 (0.5, 0.9). Its gradient at generated samples does not vanish "
        "as the critic improves."
    )

    def apply(self, scenario: Scenario) -> Scenario:
        """Return the scenario with a Wasserstein critic, its penalty, steps and optimizers."""
        if get_option(scenario, "objective") in (None, "wasserstein"):
            return scenario
        weight = self.points if has_point_data(scenario) else self.weight
        unused = {key: off for key, off in UNUSED_OPTIONS.items() if get_option(scenario, key)}
        critic = set_options(
            scenario, {"objective": "wasserstein", "gradient_penalty": weight, **unused}
        )
        if critic == scenario:  # the variant lacks one of the options
            return scenario
        # The betas are those of the paper's published code for MNIST; its learning rate is 1e-4.
        adam = {"name": "adam", "lr": 5e-4, "betas": [0.5, 0.9]}
        return critic.set(
            {
                "training.discriminator": {"steps": self.critic_steps, "optimizer": adam},
                "training.generator": {"steps": 1, "optimizer": adam},
            }
        )
