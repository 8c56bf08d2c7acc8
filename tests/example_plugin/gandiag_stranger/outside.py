"""How much of what the generator makes lies where no data are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from gandiag.monitoring.snapshot import Snapshot

__all__ = ["Outside"]


@dataclass(frozen=True)
class Outside:
    """Share of the fakes' entries beyond the largest one in the real data.

    Signal: ``share/generator``, [0, 1].
    """

    margin: float = 1.05  # times the largest absolute value in the data

    uses: ClassVar[frozenset[str]] = frozenset({"reference"})

    def observe(self, snapshot: Snapshot) -> Mapping[str, float | Tensor]:
        """Return the share in the generator's turn."""
        if snapshot.player != "generator" or snapshot.fake is None or snapshot.reference is None:
            return {}
        beyond = snapshot.fake.abs() > self.margin * snapshot.reference.extent
        return {"share/generator": beyond.float().mean()}
