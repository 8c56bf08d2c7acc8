"""Keep the generator's slope alive when the discriminator is sure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from gandiag.fixes._options import get_option, set_options
from gandiag.scenario.schema import Scenario


@dataclass(frozen=True)
class NonSaturating:
    """Let G minimise -log D(G(z)), not log(1 - D(G(z))) (Goodfellow et al. 2014, section 3)."""

    treats: ClassVar[frozenset[str]] = frozenset({"vanishing_gradients"})
    causes: ClassVar[frozenset[str]] = frozenset({"saturated_objective"})
    advice: ClassVar[str] = (
        "Let the generator minimise -log D(G(z)): with logits, softplus(-scores).mean(). Its "
        "slope stays near 1 when the discriminator is sure, where that of log(1 - D(G(z))) "
        "goes to 0."
    )

    def apply(self, scenario: Scenario) -> Scenario:
        """Return the scenario with the non-saturating objective in place of the saturating one."""
        if get_option(scenario, "objective") != "saturating":
            return scenario
        return set_options(scenario, {"objective": "non_saturating"})
