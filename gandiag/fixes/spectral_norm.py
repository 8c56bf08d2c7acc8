"""Bound the discriminator's slope everywhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from gandiag.fixes._options import get_option, set_options
from gandiag.scenario.schema import Scenario


@dataclass(frozen=True)
class SpectralNorm:
    """Divide each weight of D by its largest singular value (Miyato et al. 2018, section 2.1)."""

    treats: ClassVar[frozenset[str]] = frozenset(
        {"vanishing_gradients", "mode_collapse", "non_convergence", "unbounded_critic"}
    )
    causes: ClassVar[frozenset[str]] = frozenset(
        {"saturated_objective", "discriminator_too_strong", "divergence", "no_bound"}
    )
    advice: ClassVar[str] = (
        "Wrap every linear and convolutional layer of the discriminator in "
        "torch.nn.utils.parametrizations.spectral_norm: its slope is at most 1, so it cannot "
        "become sure of everything."
    )

    def apply(self, scenario: Scenario) -> Scenario:
        """Return the scenario with spectral norm in its discriminator, where its variant has it."""
        if get_option(scenario, "spectral_norm") is not False:
            return scenario
        return set_options(scenario, {"spectral_norm": True})
