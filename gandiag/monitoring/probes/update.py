"""Whether the optimizers move the weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from gandiag.monitoring.snapshot import Snapshot


@dataclass(frozen=True)
class Update:
    """How far a player's weights have come since the last look, net, on a sample of them.

    Signal ``relative/<player>``: distance per generator step over the weights' own norm. Adam hides
    small gradients here, and a tiny learning rate shows here only.
    """

    uses: ClassVar[frozenset[str]] = frozenset({"weights"})

    def observe(self, snapshot: Snapshot) -> Mapping[str, float | Tensor]:
        """Return the relative distance; nothing at the first look."""
        now, before = snapshot.weights, snapshot.weights_before
        if now is None or before is None or not snapshot.weights_steps:
            return {}
        moved = (now - before).norm() / before.norm().clamp(min=1e-30)
        return {f"relative/{snapshot.network_name}": moved / snapshot.weights_steps}
