"""Where the generator's learning signal dies on its way from the loss to its output."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from gandiag.monitoring.snapshot import Snapshot


@dataclass(frozen=True)
class LearningSignal:
    """The generator's gradient at D's scores and at D's input, free of units.

    Signals, each ``/generator``:

    - ``score_gradient``: sum over the batch of |dL_G/dscore|. For losses that are means it lies in [0, 1]
      under cross-entropy and is 1 for a critic; small means that D is saturated under this
      objective.
    - ``discriminator_gradient``: D's mean slope at the fakes, times the real data's mean pair distance, over the
      spread of its scores; of order 1 for a sane D, near 0 for a flat one. NaN where ``score_gradient``
      is 0.
    - ``sample_gradient``: sum over the batch of ||dL_G/dfake||, times the mean pair distance.
    - ``score_sd``: standard deviation of D's scores over real and fake, relative to
      1 + |mean|; near 0 for a discriminator that says the same to everything.
    """

    uses: ClassVar[frozenset[str]] = frozenset({"reference"})

    def observe(self, snapshot: Snapshot) -> Mapping[str, float | Tensor]:
        """Return the slopes of the generator's turn."""
        if snapshot.network_name != "generator" or snapshot.score_gradient is None:
            return {}
        score = snapshot.score_gradient.abs().sum()
        seen: dict[str, float | Tensor] = {"score_gradient/generator": score}
        if snapshot.input_gradient is None or snapshot.reference is None:
            return seen
        scale = snapshot.reference.pair_distance
        at_input = snapshot.input_gradient.flatten(1).norm(dim=1).sum()
        seen["sample_gradient/generator"] = at_input * scale
        if snapshot.real_scores is not None and snapshot.fake_scores is not None:
            scores = torch.cat([snapshot.real_scores.flatten(), snapshot.fake_scores.flatten()])
            seen["discriminator_gradient/generator"] = (
                at_input / score * scale / scores.std().clamp(min=1e-30)
            )
            seen["score_sd/generator"] = scores.std() / (1 + scores.mean().abs())
        return seen
