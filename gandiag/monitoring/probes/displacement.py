"""Whether the generator moves, in the space of its samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from gandiag.monitoring.features import flatten_samples
from gandiag.monitoring.snapshot import Snapshot

TINY = 1e-3  # of the real scale: below it all samples are one, and only "far above 1" is meant


@dataclass(frozen=True)
class Displacement:
    """How far the samples at fixed latents moved over 100 steps or more.

    Signals, each ``/generator``:

    - ``latent_spread``: mean distance between two of the samples, over that of two real samples; near 0
      where all latents give one sample.
    - ``distance``: mean distance that a sample moved, net, per 100 generator steps, over the mean
      distance of two real samples.
    - ``relative``: the same over the samples' own spread. At 1 a sample is after 100 steps as far
      from itself as from any other; far above it, all samples move together.
    """

    uses: ClassVar[frozenset[str]] = frozenset({"fixed", "reference"})

    def observe(self, snapshot: Snapshot) -> Mapping[str, float | Tensor]:
        """Return motion and spread of the generator's turn."""
        if snapshot.fixed is None or snapshot.reference is None:
            return {}
        scale = snapshot.reference.pair_distance
        now = flatten_samples(snapshot.fixed)
        pairs = torch.pdist(now).mean() if len(now) > 1 else now.new_tensor(0.0)
        seen: dict[str, float | Tensor] = {"latent_spread/generator": pairs / scale}
        if snapshot.fixed_before is not None and snapshot.fixed_steps:
            moved = (now - flatten_samples(snapshot.fixed_before)).norm(dim=1).mean()
            rate = 100 / snapshot.fixed_steps
            seen["distance/generator"] = moved / scale * rate
            seen["relative/generator"] = moved / pairs.clamp(min=TINY * scale) * rate
        return seen
