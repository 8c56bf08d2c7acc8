"""Whether the optimizers move the weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from gandiag.monitoring.snapshot import Snapshot


@dataclass(frozen=True)
class Update:
    """Net distance that a network's weights moved since the last evaluation, by a sample of them.

    Adam divides a gradient by its own size, so small gradients cannot be seen here. A learning rate
    that is far too small can be seen only here.
    """

    uses: ClassVar[frozenset[str]] = frozenset({"weights"})

    def observe(self, snapshot: Snapshot) -> Mapping[str, float | Tensor]:
        """Return the relative distance; no number at the first evaluation."""
        weights, before = snapshot.weights, snapshot.weights_before
        if weights is None or before is None or not snapshot.weights_steps:
            return {}
        # The clamp only avoids a division by 0, for weights that are all 0.
        distance = (weights - before).norm() / before.norm().clamp(min=1e-30)
        return {f"relative/{snapshot.network_name}": distance / snapshot.weights_steps}
