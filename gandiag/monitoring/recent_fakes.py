"""The newest generated samples of a loop, and their statistics relative to the real samples."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import torch
from torch import Tensor

from gandiag.monitoring.distributed import merge_shares
from gandiag.monitoring.reference import Reference
from gandiag.monitoring.sample_metrics import FakeStats


class RecentFakes:
    """Keeps the newest batches of generated samples, no more than are needed.

    Batches are kept whole, as references to the loop's own tensors: slices would be copies.

    Attributes:
        count: number of samples that are kept.
    """

    def __init__(self) -> None:
        """Start without samples."""
        self.count = 0
        self._batches: deque[Tensor] = deque()
        self._new_count = 0  # samples added since the last update of the statistics
        self._stats: FakeStats | None = None

    @property
    def batch_count(self) -> int:
        """Number of batches that are kept."""
        return len(self._batches)

    def add(self, fake: Tensor, size: int) -> None:
        """Add a batch ``(B, *shape)``, and drop batches beyond the newest `size` samples."""
        self._batches.append(fake)
        self.count += len(fake)
        self._new_count += len(fake)
        # Drop the oldest batch only while the others contain enough samples without it.
        while self.count - len(self._batches[0]) >= size:
            self.count -= len(self._batches.popleft())

    def select_newest(self, count: int) -> Tensor:
        """The newest whole batches with at least `count` samples, ``(n, *shape)``, or all."""
        chosen = self._newest_batches(count)
        return chosen[0] if len(chosen) == 1 else torch.cat(chosen)

    def update_stats(self, reference: Reference, others: Sequence[Tensor]) -> FakeStats | None:
        """Statistics of the newest samples; only samples since the last update are compared.

        Args:
            reference: the real samples.
            others: generated samples of other processes, ``(n, *shape)`` each. With them all
                samples are compared again, as the mixture changes at each update.

        Returns:
            Statistics of `Reference.sample_size` samples; None while there are fewer.
        """
        size, new_count = reference.sample_size, self._new_count
        if others:
            merged = merge_shares(self.select_newest(size), others, size)
            return reference.compute_fake_stats(merged[-size:]) if len(merged) >= size else None
        if self.count < size:
            return None
        # Statistics of a sample do not depend on the other samples, so old ones can be reused.
        if self._stats is None or new_count >= size:
            self._stats = reference.compute_fake_stats(*self._newest_samples(size))
        elif new_count:
            newer = reference.compute_fake_stats(*self._newest_samples(new_count))
            self._stats = self._stats.append(newer, size)
        self._new_count = 0
        return self._stats

    def state(self) -> dict[str, Any]:
        """All that decides the further statistics, for `load_state`."""
        return {
            "batches": list(self._batches),
            "new_count": self._new_count,
            "stats": self._stats and [getattr(self._stats, f.name) for f in fields(FakeStats)],
        }

    def load_state(self, state: Mapping[str, Any], device: torch.device) -> None:
        """Go on with the samples that gave this `state`."""
        self._batches = deque(batch.to(device) for batch in state["batches"])
        self.count = sum(map(len, self._batches))
        self._new_count = state["new_count"]
        stats = state["stats"]
        self._stats = stats and FakeStats(*(tensor.to(device) for tensor in stats))

    def _newest_batches(self, count: int) -> list[Tensor]:
        """Newest whole batches, oldest first, with at least `count` samples, or all there are."""
        chosen: list[Tensor] = []
        for batch in reversed(self._batches):
            if sum(map(len, chosen)) >= count:
                break
            chosen.append(batch)
        return chosen[::-1]

    def _newest_samples(self, count: int) -> list[Tensor]:
        """Exactly the newest `count` samples, as batches."""
        first, *others = self._newest_batches(count)
        # Only the oldest of these batches can contain samples that are too many.
        return [first[sum(map(len, others)) - count :], *others]
