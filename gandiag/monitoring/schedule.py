"""A probe with its schedule: when it is due, and what happens if it raises an exception."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from gandiag.monitoring.snapshot import NetworkName, Snapshot
from gandiag.plugins.errors import warn_user
from gandiag.plugins.protocols import Probe


@dataclass
class ScheduledProbe:
    """A probe with its name and schedule.

    Attributes:
        name: first part of the names of its signals.
        probe: the probe.
        every: generator steps between two evaluations of one network, at least 1.
        last_steps: by network, step of its last evaluation.
        is_switched_off: whether the probe has raised an exception; it is not used again then.
        reason: why the probe is switched off, as one sentence; empty while it is used.
    """

    name: str
    probe: Probe
    every: int
    last_steps: dict[NetworkName, int] = field(default_factory=dict)
    is_switched_off: bool = False
    reason: str = ""

    def is_due(self, step: int, network_name: NetworkName) -> bool:
        """Whether the probe is to evaluate this network at generator step `step`."""
        return step >= self.next_step(network_name)

    def next_step(self, network_name: NetworkName) -> int:
        """First generator step at which the probe is due for this network again.

        The schedule consists of windows of `every` steps: one evaluation in each window, at the
        network's first step in it.
        """
        # -1 // every is -1, so that the first window begins at step 0.
        return (self.last_steps.get(network_name, -1) // self.every + 1) * self.every

    def observe(self, snapshot: Snapshot) -> dict[str, float | Tensor]:
        """Evaluate the probe, without raising: a probe must not end the user's training.

        Returns:
            Numbers by ``probe/quantity/network``; no numbers if the probe raises an exception. Then
            it is switched off.
        """
        try:
            with torch.no_grad():
                found = self.probe.observe(snapshot)
            return {f"{self.name}/{name}": _to_storable(value) for name, value in found.items()}
        except Exception as error:  # third-party probes may raise anything
            self.switch_off(snapshot.step, error)
            return {}

    def switch_off(self, step: int, error: Exception) -> None:
        """Do not use the probe again, and report this in one warning."""
        self.is_switched_off = True
        text = f"probe {self.name} is switched off since step {step}"
        self.reason = f"{text}: {type(error).__name__}: {error}"
        warn_user(self.reason)


def _to_storable(value: float | Tensor) -> float | Tensor:
    if not isinstance(value, Tensor):
        return float(value)
    if value.ndim > 1:
        raise TypeError(f"a number or a vector can be stored, not a {value.ndim}-dim tensor")
    # A graph would keep all activations of the step in memory until the flush.
    return value.detach()
