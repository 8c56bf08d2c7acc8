"""What each player minimises."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from gandiag.monitoring.snapshot import Snapshot


@dataclass(frozen=True)
class Loss:
    """Each player's loss in its turn; context for a reader, never a verdict.

    Signals: ``value/discriminator``, ``value/generator``, in the units of the objective.
    """

    uses: ClassVar[frozenset[str]] = frozenset()

    def observe(self, snapshot: Snapshot) -> Mapping[str, float | Tensor]:
        """Return the loss, or nothing where the loop cannot tell it."""
        return {} if snapshot.loss is None else {f"value/{snapshot.network_name}": snapshot.loss}
