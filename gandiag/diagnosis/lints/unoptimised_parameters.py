"""Unoptimised parameters: a part of a network gets gradients, but no optimizer steps it.

It happens where an optimizer gets the parameters of one part of a network, where layers are added
after the optimizer was created, or where layers are kept in a plain list, which `parameters()` of
PyTorch does not search.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from gandiag.diagnosis.diagnosis import About, Diagnosis, compare_median
from gandiag.diagnosis.lints._answer import WINDOW, build_diagnosis, report_too_early
from gandiag.monitoring.signals import GENERATOR_STEPS
from gandiag.records.facts import UNOPTIMISED
from gandiag.records.record import Record


@dataclass(frozen=True)
class UnoptimisedParameters:
    """Parameters of a network get gradients, but are in no optimizer and never change."""

    # The bug is present above this number of parameters: one that is forgotten is a bug, too.
    count: float = 0.5

    condition: ClassVar[str] = "unoptimised_parameters"
    needs: ClassVar[frozenset[str]] = frozenset({GENERATOR_STEPS})
    about: ClassVar[About] = "loop"

    def detect(self, record: Record) -> Diagnosis:
        """Check the parameters of each network at its own optimizer steps."""
        evaluations = len(record[GENERATOR_STEPS].steps)
        if evaluations < WINDOW:
            return report_too_early(self.condition, evaluations)
        found = [self._check_network(record, name) for name in ("discriminator", "generator")]
        return next((each for each in found if each.status == "present"), found[0])

    def _check_network(self, record: Record, network: str) -> Diagnosis:
        name = f"loop/unoptimised/{network}"
        steps, count = record[name]
        if len(steps) < WINDOW:  # a network that never steps is the business of another lint
            return report_too_early(self.condition, len(steps))
        evidence = (compare_median(name, count, ">", self.count, evaluations=WINDOW),)
        number = f"{evidence[0].observed:.0f}" if np.isfinite(evidence[0].observed) else "Some"
        known = record.facts.get(UNOPTIMISED, {}).get(network)
        total = f" of {known['total']}" if known else ""
        found = (
            f"{number}{total} parameters of the {network} are in no optimizer that was passed to "
            f"attach. They get gradients, but have never changed{_list_names(known)}. Pass them to "
            "the optimizer; for parameters that are frozen on purpose, call requires_grad_(False)."
        )
        clear = "All parameters that get gradients are in an optimizer."
        faulty = np.asarray(count > self.count)
        return build_diagnosis(self.condition, steps, faulty, network, found, clear, evidence)


def _list_names(known: dict[str, object] | None) -> str:
    """Names of the parameters in parentheses, for a sentence."""
    if not known:
        return ""
    names = list(known["names"])  # type: ignore[call-overload]  # facts are plain JSON data
    more = int(known["weights"]) - len(names)  # type: ignore[call-overload]
    return f" ({', '.join(names)}{f' and {more} more' if more > 0 else ''})"
