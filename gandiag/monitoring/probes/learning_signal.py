"""The gradients through which the generator learns, from its loss back to its output."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from gandiag.monitoring.snapshot import Snapshot


@dataclass(frozen=True)
class LearningSignal:
    """The gradient of the generator's loss at D's scores and at D's input, in comparable units.

    The chain rule splits the gradient at the samples into dL_G/dscore (small if D is saturated
    under this loss) and dscore/dsample (small if D is constant near the samples):

    - For a loss that is a mean over the batch, the score gradient is in [0, 1] under cross-entropy
      and 1 for a Wasserstein critic.
    - D's gradient is about 1 for a discriminator that varies over the distance between two real
      samples. It is NaN if the score gradient is exactly 0.
    """

    uses: ClassVar[frozenset[str]] = frozenset({"reference"})

    def observe(self, snapshot: Snapshot) -> Mapping[str, float | Tensor]:
        """Return the gradients in a generator step."""
        if snapshot.network_name != "generator" or snapshot.score_gradient is None:
            return {}
        score_gradient = snapshot.score_gradient.abs().sum()
        numbers: dict[str, float | Tensor] = {"score_gradient/generator": score_gradient}
        if snapshot.input_gradient is None or snapshot.reference is None:
            return numbers
        distance = snapshot.reference.pair_distance
        sample_gradient = snapshot.input_gradient.flatten(1).norm(dim=1).sum()
        numbers["sample_gradient/generator"] = sample_gradient * distance
        if snapshot.real_scores is not None and snapshot.fake_scores is not None:
            scores = torch.cat([snapshot.real_scores.flatten(), snapshot.fake_scores.flatten()])
            # A mean of ||dscore/dsample||, weighted with each sample's |dL_G/dscore|.
            numbers["discriminator_gradient/generator"] = (
                sample_gradient / score_gradient * distance / scores.std().clamp(min=1e-30)
            )
            numbers["score_sd/generator"] = scores.std() / (1 + scores.mean().abs())
        return numbers
