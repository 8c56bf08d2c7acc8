"""Collects real samples from the batches that the discriminator sees, until they suffice."""

from __future__ import annotations

import torch
from torch import Tensor

from gandiag.reference import REALS, SIZE, Reference, flatten

__all__ = ["NEEDED", "Gathering"]

NEEDED = REALS + 2 * SIZE  # at 32 x 32 x 3 pixels these are 37 MB while they are collected


class Gathering:
    """Real samples on their way to a reference."""

    def __init__(self) -> None:
        """Begin with none."""
        self._parts: list[Tensor] = []
        self._count = 0

    def add(self, real: Tensor) -> Reference | None:
        """Keep a batch ``(B, *shape)``; return the reference once there are enough of them.

        Building it takes about a second, once.
        """
        wanted = NEEDED - self._count
        self._parts.append(flatten(real[:wanted].detach()).clone())
        self._count += len(self._parts[-1])
        if self._count < NEEDED:
            return None
        samples = torch.cat(self._parts)
        self._parts = []
        return Reference.of(samples[:REALS], samples[REALS:], SIZE)
