"""A probe with its schedule: when it is due, and what happens if it raises an exception."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field

import torch
from torch import Tensor

from gandiag.monitoring.snapshot import NetworkName, Snapshot
from gandiag.plugins.errors import warn_user
from gandiag.plugins.fence import is_own
from gandiag.plugins.protocols import Probe

# Largest share of the time between the ends of two evaluations that a third-party probe may take.
# Together with gandiag's own, which take a few percent, a training should not take twice as long.
SHARE = 0.2
# Seconds of one evaluation below which its share does not matter: the training itself is so fast.
NOTICEABLE = 0.05
PATIENCE = 3  # evaluations in succession that take too long before the probe measures more rarely


@dataclass
class ScheduledProbe:
    """A probe with its name and schedule.

    Attributes:
        name: first part of the names of its signals.
        probe: the probe.
        every: generator steps between two evaluations of one network, at least 1.
        last_steps: by network, step of its last evaluation.
        is_switched_off: whether the probe has raised an exception; it is not used again then.
        notice: why the probe is switched off or measures more rarely; empty where it does neither.
        has_budget: whether the probe measures more rarely where it takes more than `SHARE` of the
            time. gandiag's own do not, so that the same run always records the same signals; their
            default schedules are chosen by their time.
    """

    name: str
    probe: Probe
    every: int
    last_steps: dict[NetworkName, int] = field(default_factory=dict)
    is_switched_off: bool = False
    notice: str = ""
    has_budget: bool = field(init=False)
    _ended: dict[NetworkName, float] = field(default_factory=dict)  # host time by network
    _excesses: int = 0  # evaluations in succession that took more than the share

    def __post_init__(self) -> None:
        self.has_budget = not is_own(self.probe)

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
        began = time.perf_counter()
        try:
            with torch.no_grad():
                found = self.probe.observe(snapshot)
            numbers = {_join(self.name, name): _to_storable(value) for name, value in found.items()}
        # Third-party probes may raise anything, or call sys.exit.
        except (Exception, SystemExit) as error:
            self.switch_off(snapshot.step, error)
            return {}
        if self.has_budget:
            self._account(snapshot, began, time.perf_counter())
        return numbers

    def _account(self, snapshot: Snapshot, began: float, ended: float) -> None:
        """Measure more rarely where the probe takes more than its share of the time.

        The time is that of the host: kernels of a GPU that still run are not waited for.
        """
        before = self._ended.get(snapshot.network_name)
        self._ended[snapshot.network_name] = ended
        took = ended - began
        if before is None or took < NOTICEABLE or took <= SHARE * (ended - before):
            self._excesses = 0
            return
        self._excesses += 1
        if self._excesses < PATIENCE:  # another program may have held up one evaluation
            return
        share, every = took / (ended - before), self.every
        self.every *= 2 ** math.ceil(math.log2(share / SHARE))
        self._excesses = 0
        self.notice = (
            f"probe {self.name} takes {took:.2g} s, {share:.0%} of the training's time: from step "
            f"{snapshot.step} on it measures every {self.every} steps instead of every {every}"
        )
        warn_user(self.notice)

    def switch_off(self, step: int, error: BaseException) -> None:
        """Do not use the probe again, and report this in one warning."""
        self.is_switched_off = True
        text = f"probe {self.name} is switched off since step {step}"
        self.notice = f"{text}: {type(error).__name__}: {error}"
        warn_user(self.notice)


def _join(probe: str, name: object) -> str:
    """The name of a signal; `ValueError` where it would not be stored."""
    if not isinstance(name, str) or not name or not f"{probe}/{name}".isprintable():
        raise ValueError(f"{name!r:.100} is no name of a quantity")
    return f"{probe}/{name}"


def _to_storable(value: float | Tensor) -> float | Tensor:
    if isinstance(value, str):  # float() would take "nan" or "1"
        raise TypeError("a number or a vector can be stored, not a text")
    if not isinstance(value, Tensor):
        return float(value)
    if value.ndim > 1 or not value.numel():
        shape = tuple(value.shape)
        raise TypeError(f"a number or a vector can be stored, not a tensor of the shape {shape}")
    if value.is_complex() or value.is_meta or value.layout != torch.strided:
        raise TypeError("a tensor of real numbers can be stored, dense and with data")
    # A graph would keep all activations of the step in memory until the flush.
    return value.detach()
