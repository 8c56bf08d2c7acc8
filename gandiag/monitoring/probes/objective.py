"""The loss as a function of the score: the fingerprint by which an objective is recognised."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from pydantic import PositiveInt
from torch import Tensor

from gandiag.monitoring.snapshot import Snapshot


@dataclass(frozen=True)
class Objective:
    """Pairs of D's raw output and the loss' slope there, evenly spaced over the batch's outputs.

    Signals, vectors of equal length, ``NaN`` where a batch is smaller:

    - ``outputs_real/discriminator``, ``gradients_real/discriminator``: D on real samples.
    - ``outputs_fake/discriminator``, ``gradients_fake/discriminator``: D on fakes, in its own turn.
    - ``outputs_fake/generator``, ``gradients_fake/generator``: D on fakes in the generator's turn.

    A slope is the gradient at one output times the number of outputs: the derivative of a loss that
    is a mean. Its sign is that of a descending optimizer: negative slopes raise the output.
    """

    pairs: PositiveInt = 16  # pairs a look; a curve of two parameters needs few

    uses: ClassVar[frozenset[str]] = frozenset({"loop_trace"})

    def observe(self, snapshot: Snapshot) -> Mapping[str, float | Tensor]:
        """Return the pairs of the acting player's turn."""
        conduct = snapshot.loop_trace
        if conduct is None:
            return {}
        seen: dict[str, float | Tensor] = {}
        for side, output, slope in (
            ("real", conduct.real_output, conduct.real_gradient),
            ("fake", conduct.fake_output, conduct.fake_gradient),
        ):
            if output is not None and slope is not None:
                outputs, slopes = self._thinned(output, slope)
                seen[f"outputs_{side}/{snapshot.network_name}"] = outputs
                seen[f"gradients_{side}/{snapshot.network_name}"] = slopes
        return seen

    def _thinned(self, output: Tensor, slope: Tensor) -> tuple[Tensor, Tensor]:
        ordered, order = output.flatten().float().sort()
        slopes = slope.flatten().float()[order]
        count = min(self.pairs, len(ordered))
        at = torch.linspace(0, len(ordered) - 1, count, device=ordered.device).long()
        lacking = ordered.new_full((self.pairs - count,), torch.nan)
        return torch.cat([ordered[at], lacking]), torch.cat([slopes[at], lacking])
