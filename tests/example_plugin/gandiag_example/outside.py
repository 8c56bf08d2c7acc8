"""Measures how many entries of generated samples lie outside the range of the data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from gandiag.monitoring.snapshot import Snapshot


@dataclass(frozen=True)
class Outside:
    """Share of entries of generated samples beyond the largest entry of the real data.

    Signal: ``share/generator``, [0, 1].
    """

    # An entry is outside if its absolute value exceeds that of all real entries by this factor.
    margin: float = 1.05

    uses: ClassVar[frozenset[str]] = frozenset({"reference"})

    def observe(self, snapshot: Snapshot) -> Mapping[str, float | Tensor]:
        """Return the share in a generator step; a discriminator step returns nothing."""
        if snapshot.network_name != "generator":
            return {}
        if snapshot.fake is None or snapshot.reference is None:  # the loop cannot provide them
            return {}
        is_outside = snapshot.fake.abs() > self.margin * snapshot.reference.max_abs
        return {"share/generator": is_outside.float().mean()}
