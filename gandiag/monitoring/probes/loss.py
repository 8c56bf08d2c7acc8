"""The loss of each network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from gandiag.monitoring.snapshot import Snapshot


@dataclass(frozen=True)
class Loss:
    """The loss that each network minimises in its step.

    It is context for a reader: no detector uses its value, as a GAN's losses do not show whether
    the samples improve.
    """

    uses: ClassVar[frozenset[str]] = frozenset()

    def observe(self, snapshot: Snapshot) -> Mapping[str, float | Tensor]:
        """Return the loss; no number where the loop does not pass it."""
        return {} if snapshot.loss is None else {f"value/{snapshot.network_name}": snapshot.loss}
