"""Hidden units with a constant or saturated output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from gandiag.monitoring.forward_pass import Activation
from gandiag.monitoring.snapshot import Snapshot


@dataclass(frozen=True)
class Units:
    """Hidden units whose output does not depend on the input, and saturated tanh or sigmoid units.

    Each share is that of the layer with the most such units. The generator's last tanh or sigmoid
    is left out: background pixels belong at the end of its range.
    """

    uses: ClassVar[frozenset[str]] = frozenset({"fixed_pass", "activations"})

    def observe(self, snapshot: Snapshot) -> Mapping[str, float | Tensor]:
        """Return the shares in a generator step: G at the fixed latents, D on its real batch."""
        if snapshot.network_name != "generator":
            return {}
        numbers: dict[str, float | Tensor] = {}
        if snapshot.fixed_pass is not None:
            layers = snapshot.fixed_pass.activations
            # The last activation layer is taken for the output if it is bounded.
            has_bounded_output = bool(layers) and layers[-1].saturated is not None
            numbers |= _largest_shares(layers[:-1] if has_bounded_output else layers, "generator")
        if snapshot.real_pass is not None:
            numbers |= _largest_shares(snapshot.real_pass.activations, "discriminator")
        return numbers


def _largest_shares(layers: Sequence[Activation], network: str) -> dict[str, Tensor]:
    numbers = {}
    saturated = [layer.saturated for layer in layers if layer.saturated is not None]
    if layers:
        numbers[f"dead/{network}"] = torch.stack([layer.dead for layer in layers]).max()
    if saturated:
        numbers[f"saturated/{network}"] = torch.stack(saturated).max()
    return numbers
