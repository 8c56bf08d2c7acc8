"""Label smoothing: limits the discriminator's scores of real samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from gandiag.fixes._options import get_option, set_options
from gandiag.scenario.schema import Scenario

# The hinge and the Wasserstein objective have no target that could be smoothed.
OBJECTIVES_WITH_TARGETS = ("non_saturating", "saturating", "least_squares")


@dataclass(frozen=True)
class LabelSmoothing:
    """Use D's target 0.9 for real samples, 0 for fake ones (Salimans et al. 2016, section 3.4)."""

    # Difference between 1 and D's target for real samples (Salimans et al. 2016, section 3.4).
    by: float = 0.1

    treats: ClassVar[frozenset[str]] = frozenset({"non_convergence"})
    causes: ClassVar[frozenset[str]] = frozenset({"divergence"})
    advice: ClassVar[str] = (
        "Use 0.9 as the discriminator's target for real samples and keep 0 for generated samples. "
        "The scores of real samples then stay bounded. This fixes neither vanishing gradients nor "
        "mode collapse."
    )

    def apply(self, scenario: Scenario) -> Scenario:
        """Return the scenario with smoothed labels, if its objective has targets."""
        if get_option(scenario, "label_smoothing") != 0:
            return scenario
        if get_option(scenario, "objective") not in OBJECTIVES_WITH_TARGETS:
            return scenario
        return set_options(scenario, {"label_smoothing": self.by})
