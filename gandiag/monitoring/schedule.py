"""A probe with its cadence: when it looks, and that it ends nobody's training."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field

import torch
from torch import Tensor

from gandiag.monitoring.snapshot import Player, Snapshot
from gandiag.plugins.protocols import Probe


@dataclass
class ScheduledProbe:
    """A probe with its name and cadence.

    Attributes:
        name: what stands before its signals' names.
        probe: what looks.
        every: generator steps between two looks at one player, at least 1.
        last: step of the last look at each player.
        failed: whether it has raised, and is asked no more.
    """

    name: str
    probe: Probe
    every: int
    last: dict[Player, int] = field(default_factory=dict)
    failed: bool = False

    def due(self, step: int, player: Player) -> bool:
        """Whether it is to look at this player's turn at `step`."""
        return step >= self.next(player)

    def next(self, player: Player) -> int:
        """First step at which it is to look at this player again."""
        return (self.last.get(player, -1) // self.every + 1) * self.every

    def observe(self, snapshot: Snapshot) -> dict[str, float | Tensor]:
        """What it sees, by ``probe/what/player``; nothing where it raises, and is switched off."""
        try:
            with torch.no_grad():
                seen = self.probe.observe(snapshot)
            return {f"{self.name}/{name}": _storable(value) for name, value in seen.items()}
        except Exception as error:  # nobody's training may end because of a probe
            self.switch_off(snapshot.step, error)
            return {}

    def switch_off(self, step: int, error: Exception) -> None:
        """Ask it no more, and say so in one warning."""
        self.failed = True
        text = f"probe {self.name} is switched off since step {step}"
        warnings.warn(f"{text}: {type(error).__name__}: {error}", RuntimeWarning, stacklevel=2)


def _storable(value: float | Tensor) -> float | Tensor:
    if not isinstance(value, Tensor):
        return float(value)
    if value.ndim > 1:
        raise TypeError(f"a number or a vector can be stored, not a {value.ndim}-dim tensor")
    return value.detach()
