"""The generator as its samples will be drawn: in evaluation mode, and averaged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from gandiag.monitoring.sample_metrics import compute_sample_metrics
from gandiag.monitoring.snapshot import Snapshot


@dataclass(frozen=True)
class Sampling:
    """Distances from the real samples of the samples at the fixed latents, by the way of drawing.

    The samples are those of the generator in training, of the generator in evaluation mode (if it
    has batch normalisation or dropout), and of the average of its weights that the user passed.
    Nothing is recorded where the last two do not exist.
    """

    uses: ClassVar[frozenset[str]] = frozenset({"sampled", "reference"})

    def observe(self, snapshot: Snapshot) -> Mapping[str, float | Tensor]:
        """Return one distance for each way of drawing, in a generator step."""
        reference = snapshot.reference
        if snapshot.network_name != "generator" or reference is None or snapshot.sampled is None:
            return {}
        numbers = {}
        for name, samples in snapshot.sampled.items():
            metrics = compute_sample_metrics(reference, reference.compute_fake_stats(samples))
            # Over the distance of total collapse: the same scale for all data.
            distance = metrics["energy_distance"] / reference.mean_energy_distance
            numbers[f"{name}_distance/generator"] = distance
        return numbers
