"""Units that no longer take part."""

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
    """Hidden units that say the same to every input, and bounded units that are saturated.

    Signals, each ``/<player>``, both shares in [0, 1] of the worst layer:

    - ``dead``: units whose output does not vary over the batch.
    - ``saturated``: hidden outputs of tanh or sigmoid where the slope is below 3 % of its maximum.
      The generator's last tanh is left out: background pixels belong at its end.
    """

    uses: ClassVar[frozenset[str]] = frozenset({"fixed_pass", "activations"})

    def observe(self, snapshot: Snapshot) -> Mapping[str, float | Tensor]:
        """Look in G's turn at G on the fixed latents, and at D, once it has stepped, on reals."""
        if snapshot.network_name != "generator":
            return {}
        seen: dict[str, float | Tensor] = {}
        if snapshot.fixed_pass is not None:
            layers = snapshot.fixed_pass.activations
            ends = bool(layers) and layers[-1].saturated is not None
            seen |= _worst(layers[:-1] if ends else layers, "generator")
        if snapshot.real_pass is not None:
            seen |= _worst(snapshot.real_pass.activations, "discriminator")
        return seen


def _worst(layers: Sequence[Activation], player: str) -> dict[str, Tensor]:
    seen = {}
    saturated = [layer.saturated for layer in layers if layer.saturated is not None]
    if layers:
        seen[f"dead/{player}"] = torch.stack([layer.dead for layer in layers]).max()
    if saturated:
        seen[f"saturated/{player}"] = torch.stack(saturated).max()
    return seen
