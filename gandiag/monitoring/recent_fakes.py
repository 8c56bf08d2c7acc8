"""The newest fakes that a loop has made, and where they lie among the real samples."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import torch
from torch import Tensor

from gandiag.monitoring.reference import Reference
from gandiag.monitoring.sample_metrics import FakeStats
from gandiag.monitoring.sharing import merge_shares


class RecentFakes:
    """Keeps whole batches, as few as hold the number of fakes that is asked for.

    Attributes:
        count: fakes that are kept.
    """

    def __init__(self) -> None:
        """Begin with none."""
        self.count = 0
        self._batches: deque[Tensor] = deque()
        self._new = 0  # how many were made since the last look at where they lie
        self._stats: FakeStats | None = None

    @property
    def batches(self) -> int:
        """How many batches are kept."""
        return len(self._batches)

    def add(self, fake: Tensor, size: int) -> None:
        """Take note of a batch ``(B, *shape)``, where `size` fakes will be asked for."""
        self._batches.append(fake)
        self.count += len(fake)
        self._new += len(fake)
        while self.count - len(self._batches[0]) >= size:
            self.count -= len(self._batches.popleft())

    def newest(self, count: int) -> Tensor:
        """The newest fakes ``(n, *shape)``: whole batches that hold so many, or all there are."""
        chosen = self._holding(count)
        return chosen[0] if len(chosen) == 1 else torch.cat(chosen)

    def stats(self, reference: Reference, others: Sequence[Tensor]) -> FakeStats | None:
        """Where the newest fakes lie; those that were placed before are known. None for too few.

        Args:
            reference: what they lie among.
            others: fakes of other processes, which stand for this one's as well.
        """
        size, new = reference.size, self._new
        if others:
            together = merge_shares(self.newest(size), others, size)
            return reference.fake_stats(together[-size:]) if len(together) >= size else None
        if self.count < size:
            return None
        if self._stats is None or new >= size:
            self._stats = reference.fake_stats(*self._exactly(size))
        elif new:
            self._stats = self._stats.updated(reference.fake_stats(*self._exactly(new)), size)
        self._new = 0
        return self._stats

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
