"""The newest fakes that a loop has made, and where they lie among the real samples."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import torch
from torch import Tensor

from gandiag.monitoring.reference import Reference
from gandiag.monitoring.sample_metrics import Placed
from gandiag.monitoring.sharing import put_together

__all__ = ["RecentFakes"]


class RecentFakes:
    """Keeps whole batches, as few as hold the number of fakes that is asked for.

    Attributes:
        count: fakes that are kept.
    """

    def __init__(self) -> None:
        """Begin with none."""
        self.count = 0
        self._batches: deque[Tensor] = deque()
        self._unplaced = 0  # how many were made since the last look at where they lie
        self._placed: Placed | None = None

    @property
    def batches(self) -> int:
        """How many batches are kept."""
        return len(self._batches)

    def add(self, fake: Tensor, size: int) -> None:
        """Take note of a batch ``(B, *shape)``, where `size` fakes will be asked for."""
        self._batches.append(fake)
        self.count += len(fake)
        self._unplaced += len(fake)
        while self.count - len(self._batches[0]) >= size:
            self.count -= len(self._batches.popleft())

    def newest(self, count: int) -> Tensor:
        """The newest fakes ``(n, *shape)``: whole batches that hold so many, or all there are."""
        chosen = self._holding(count)
        return chosen[0] if len(chosen) == 1 else torch.cat(chosen)

    def place(self, reference: Reference, others: Sequence[Tensor]) -> Placed | None:
        """Where the newest fakes lie; those that were placed before are known. None for too few.

        Args:
            reference: what they lie among.
            others: fakes of other processes, which stand for this one's as well.
        """
        size, new = reference.size, self._unplaced
        if others:
            together = put_together(self.newest(size), others, size)
            return reference.place(together[-size:]) if len(together) >= size else None
        if self.count < size:
            return None
        if self._placed is None or new >= size:
            self._placed = reference.place(*self._exactly(size))
        elif new:
            self._placed = self._placed.then(reference.place(*self._exactly(new)), size)
        self._unplaced = 0
        return self._placed

    def _holding(self, count: int) -> list[Tensor]:
        """Newest whole batches, the oldest first, that hold so many fakes, or all there are."""
        chosen: list[Tensor] = []
        for batch in reversed(self._batches):
            if sum(map(len, chosen)) >= count:
                break
            chosen.append(batch)
        return chosen[::-1]

    def _exactly(self, count: int) -> list[Tensor]:
        """The newest `count` fakes, batch by batch."""
        first, *others = self._holding(count)
        return [first[sum(map(len, others)) - count :], *others]
