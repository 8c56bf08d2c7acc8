"""Idle network: one of the two networks is never stepped, gets no gradient, or never changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from gandiag.diagnosis.diagnosis import About, Diagnosis, Evidence, compare_median
from gandiag.diagnosis.lints._answer import WINDOW, build_diagnosis, report_too_early
from gandiag.monitoring.signals import DISCRIMINATOR_STEPS, GENERATOR_STEPS
from gandiag.records.facts import DISCRIMINATOR_STEPS_FIRST
from gandiag.records.record import Record

# Share of parameters without a gradient that counts as all of them, despite rounding.
ALL = 0.999
# Any relative update above this number is a change of the weights.
UNCHANGED = 1e-30


@dataclass(frozen=True)
class IdleNetwork:
    """One network does not learn at all."""

    # A network without a step is idle after this many steps of the other network; some loops start
    # with discriminator steps alone.
    patience: int = 200

    condition: ClassVar[str] = "idle_network"
    # None is required: signals of a network that never steps are missing because of the bug.
    needs: ClassVar[frozenset[str]] = frozenset()
    about: ClassVar[About] = "loop"

    def detect(self, record: Record) -> Diagnosis:
        """Check that both networks are stepped, have gradients, and change."""
        unstepped = self._check_steps(record)
        if unstepped is not None:
            return unstepped
        found = [
            self._check_gradients(record, "generator"),
            # Before the gradients of D: where it is frozen, this is the nearer cause.
            self._check_frozen(record, "discriminator"),
            self._check_gradients(record, "discriminator"),
            self._check_frozen(record, "generator"),
            self._check_updates(record, "generator"),
            self._check_updates(record, "discriminator"),
        ]
        return next((each for each in found if each.status == "present"), found[0])

    def _check_steps(self, record: Record) -> Diagnosis | None:
        """The diagnosis where one network has no steps; None where both have."""
        # The steps of a record are generator steps. Before the first one, the discriminator's steps
        # are counted in a fact of the run.
        discriminator_steps = float(record.facts.get(DISCRIMINATOR_STEPS_FIRST, 0))
        has_generator, has_discriminator = (
            len(record[name].steps) > 0 for name in (GENERATOR_STEPS, DISCRIMINATOR_STEPS)
        )
        last_step = record.last_step
        if last_step == 0 and discriminator_steps >= self.patience:
            return self._report_unstepped("generator", GENERATOR_STEPS, discriminator_steps)
        if has_generator and not has_discriminator and last_step >= self.patience:
            return self._report_unstepped("discriminator", DISCRIMINATOR_STEPS, float(last_step))
        if not has_generator:
            return report_too_early(self.condition, 0)
        return None

    def _report_unstepped(self, network: str, signal: str, other_steps: float) -> Diagnosis:
        text = (
            f"The {network} has never been stepped, while the other network has taken "
            f"{other_steps:.0f} steps. Call step() on the {network}'s optimizer that was passed to "
            "attach."
        )
        meaning = "steps of the other network before the first step"
        evidence = (Evidence(signal, other_steps, ">", float(self.patience), True, meaning),)
        return Diagnosis(
            self.condition, "present", text, "never_stepped", 0, network, 1.0, evidence, "loop"
        )

    def _check_gradients(self, record: Record, network: str) -> Diagnosis:
        """Check that a backward pass through D's scores reaches the network's parameters."""
        name = f"loop/without_gradient/{network}"
        steps, share = record[name]
        reached = record[f"objective/outputs_fake/{network}"].steps
        faulty = (share > ALL) & ~np.isin(steps, reached)
        hint = (
            " Check whether its samples are detached, or generated under no_grad(), in its step."
            if network == "generator"
            else ""
        )
        found = f"The {network}'s optimizer steps, but no gradient reaches its weights.{hint}"
        evidence = (compare_median(name, share, ">", ALL, evaluations=WINDOW),)
        clear = "Both networks are stepped, and gradients reach their weights."
        kind = "no_gradient"
        return build_diagnosis(self.condition, steps, faulty, kind, found, clear, evidence)

    def _check_frozen(self, record: Record, network: str) -> Diagnosis:
        """Check that the optimizer has gradients to step with, and that the weights still change.

        A gradient that has vanished is exactly 0, but not missing.
        """
        name = f"loop/frozen/{network}"
        steps, frozen = record[name]
        faulty = np.asarray((frozen > ALL) & ~(record.at(f"update/relative/{network}", steps) > 0))
        found = (
            f"The {network}'s optimizer steps, but its weights do not change, as none of them has "
            f"a gradient. Check whether requires_grad of the {network} is still False from the "
            "other network's step, or whether gradients are cleared between backward() and step()."
        )
        evidence = (compare_median(name, frozen, ">", ALL, evaluations=WINDOW),)
        clear = "Both networks are stepped, and their weights have gradients."
        return build_diagnosis(self.condition, steps, faulty, "frozen", found, clear, evidence)

    def _check_updates(self, record: Record, network: str) -> Diagnosis:
        """Check that the weights of a network with gradients have ever changed."""
        name = f"update/relative/{network}"
        steps, update = record[name]
        share = record.at(f"loop/without_gradient/{network}", steps)
        faulty = np.asarray((np.maximum.accumulate(update) == 0) & (share < ALL))
        found = (
            f"The {network}'s optimizer steps with a gradient, but the weights have never changed. "
            "Check whether its learning rate is 0, or whether it has the parameters of another "
            "network."
        )
        evidence = (compare_median(name, update, "<", UNCHANGED, evaluations=WINDOW),)
        clear = "Both networks are stepped, and their weights change."
        kind = "never_moves"
        return build_diagnosis(self.condition, steps, faulty, kind, found, clear, evidence)
