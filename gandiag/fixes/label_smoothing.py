"""Keep the discriminator from being too sure of real samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from gandiag.fixes._options import get_option, set_options
from gandiag.scenario.schema import Scenario


@dataclass(frozen=True)
class LabelSmoothing:
    """D's target for real samples is 0.9, for fakes still 0 (Salimans et al. 2016, section 3.4)."""

    by: float = 0.1  # what the target is less than 1

    treats: ClassVar[frozenset[str]] = frozenset({"non_convergence"})
    causes: ClassVar[frozenset[str]] = frozenset({"divergence"})
    advice: ClassVar[str] = (
        "Use 0.9 as the discriminator's target for real samples and leave that of fakes at 0: its "
        "scores of reals then do not grow without end. It is no cure for vanishing gradients or a "
        "collapse."
    )

    def apply(self, scenario: Scenario) -> Scenario:
        """Return the scenario with smoothed labels, where its objective has targets."""
        if get_option(scenario, "label_smoothing") != 0:
            return scenario
        if get_option(scenario, "objective") not in (
            "non_saturating",
            "saturating",
            "least_squares",
        ):
            return scenario
        return set_options(scenario, {"label_smoothing": self.by})
