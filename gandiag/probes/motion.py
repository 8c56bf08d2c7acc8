"""Whether the generator moves, in the space of its samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from gandiag.snapshot import Snapshot

__all__ = ["Motion"]


@dataclass(frozen=True)
class Motion:
    """How far the samples at fixed latents moved over 100 steps or more.

    Signals, each ``/generator``, both over the mean distance of two real samples:

    - ``fixed``: mean distance that a sample moved, net, per 100 generator steps.
    - ``spread``: mean distance between two of the samples; near 0 where all latents give one.
    """

    uses: ClassVar[frozenset[str]] = frozenset({"fixed", "reference"})

    def observe(self, snapshot: Snapshot) -> Mapping[str, float | Tensor]:
        """Return motion and spread of the generator's turn."""
        if snapshot.fixed is None or snapshot.reference is None:
            return {}
        scale = snapshot.reference.scale
        now = snapshot.fixed.flatten(1).float()
        pairs = torch.pdist(now).mean() if len(now) > 1 else now.new_tensor(0.0)
        seen: dict[str, float | Tensor] = {"spread/generator": pairs / scale}
        if snapshot.fixed_before is not None and snapshot.fixed_steps:
            moved = (now - snapshot.fixed_before.flatten(1).float()).norm(dim=1).mean()
            seen["fixed/generator"] = moved / scale * (100 / snapshot.fixed_steps)
        return seen
