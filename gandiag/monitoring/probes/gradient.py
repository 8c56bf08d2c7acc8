"""How large each player's gradients are, and where in the network they die."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from gandiag.monitoring.snapshot import Snapshot


@dataclass(frozen=True)
class Gradient:
    """Gradient norms of the acting player, whole and by layer, as its optimizer will use them.

    Signals, each ``/<player>``:

    - ``norm``: Euclidean norm over all parameters.
    - ``relative``: the same over the norm of the parameters.
    - ``first_to_last``: norm at the first weight tensor over that at the last.
    - ``backprop_gain``: generator only: norm over that of the gradient at its output, dL_G/dfake.
    - ``non_finite``: how many entries are NaN or infinite.
    - ``parameter_norm``: Euclidean norm of the parameters themselves.
    - ``norm.<parameter>``: norm at one weight tensor.
    """

    layers: bool = True  # also one signal a weight tensor; off for networks of hundreds

    uses: ClassVar[frozenset[str]] = frozenset()

    def observe(self, snapshot: Snapshot) -> Mapping[str, float | Tensor]:
        """Return the norms; nothing for a network without gradients."""
        named = [(name, snapshot.parameters[name]) for name in snapshot.gradient_norms]
        if not named:
            return {}
        gradients = [p.grad for _, p in named if p.grad is not None]
        norms = list(snapshot.gradient_norms.values())
        if isinstance(snapshot.gradient_scale, Tensor):  # what a fused optimizer will divide by
            norms = [norm / snapshot.gradient_scale for norm in norms]
        whole = torch.stack(norms).norm()
        size = torch.stack(torch._foreach_norm([p for _, p in named])).norm()
        weights = [(name, norm) for (name, p), norm in zip(named, norms, strict=True) if p.ndim > 1]
        player = snapshot.network_name
        seen: dict[str, float | Tensor] = {
            f"norm/{player}": whole,
            f"relative/{player}": whole / size,
            f"parameter_norm/{player}": size,
            f"non_finite/{player}": _non_finite(gradients, whole),
        }
        if len(weights) > 1:
            seen[f"first_to_last/{player}"] = weights[0][1] / weights[-1][1]
        if snapshot.input_gradient is not None:
            seen[f"backprop_gain/{player}"] = whole / snapshot.input_gradient.norm()
        if self.layers:
            seen |= {f"norm.{name}/{player}": norm for name, norm in weights}
        return seen


def _non_finite(gradients: Sequence[Tensor], norm: Tensor) -> float | Tensor:
    """How many entries are not finite; where their norm is finite, none is, and none is read.

    On a GPU all are counted: to know the norm, the host would have to wait for it.
    """
    if norm.device.type == "cpu" and math.isfinite(norm.double().numpy()):
        return 0.0
    # g - g is NaN where g is not finite; counting it takes a quarter of isfinite's time
    return torch.stack([torch.count_nonzero(g - g) for g in gradients]).sum()
