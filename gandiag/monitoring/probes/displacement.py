"""How far the generator moves, in the space of its samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from gandiag.monitoring.features import flatten_samples
from gandiag.monitoring.snapshot import Snapshot

# Least spread of the samples, relative to real samples, by which a displacement is divided: with a
# smaller spread all samples are equal, and the ratio need only be far above 1.
MIN_SPREAD = 1e-3


@dataclass(frozen=True)
class Displacement:
    """Displacement of the samples at fixed latents, net, over 100 generator steps or more.

    A relative displacement of 1 means that after 100 steps a sample is as far from its earlier
    position as from any other sample. Far above 1, all samples move together.
    """

    uses: ClassVar[frozenset[str]] = frozenset({"fixed", "reference"})

    def observe(self, snapshot: Snapshot) -> Mapping[str, float | Tensor]:
        """Return displacement and spread in a generator step."""
        if snapshot.fixed is None or snapshot.reference is None:
            return {}
        real_distance = snapshot.reference.pair_distance
        samples = flatten_samples(snapshot.fixed)
        spread = torch.pdist(samples).mean() if len(samples) > 1 else samples.new_tensor(0.0)
        numbers: dict[str, float | Tensor] = {"latent_spread/generator": spread / real_distance}
        if snapshot.fixed_before is not None and snapshot.fixed_steps:
            distances = (samples - flatten_samples(snapshot.fixed_before)).norm(dim=1)
            displacement = distances.mean()
            # The time between two evaluations may exceed 100 steps: convert to a rate.
            rate = 100 / snapshot.fixed_steps
            min_spread = MIN_SPREAD * real_distance
            numbers["distance/generator"] = displacement / real_distance * rate
            numbers["relative/generator"] = displacement / spread.clamp(min=min_spread) * rate
        return numbers
