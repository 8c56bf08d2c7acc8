"""Gradient norms of each network, and of each of its layers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from gandiag.monitoring.snapshot import Snapshot
from gandiag.monitoring.torch_internals import tensor_norms


@dataclass(frozen=True)
class Gradient:
    """Gradient norms of the stepping network, as its optimizer will use them.

    The backpropagation gain is recorded for the generator only. "First" and "last" layer are the
    first and last weight tensor (two dimensions or more) in the order of ``named_parameters``.
    """

    # Whether the norm of each weight tensor is recorded too, as ``gradient/norm.NAME``; to be
    # switched off for networks of hundreds of layers, whose records would become large.
    layers: bool = True

    uses: ClassVar[frozenset[str]] = frozenset()

    def observe(self, snapshot: Snapshot) -> Mapping[str, float | Tensor]:
        """Return the norms; no numbers for a network without gradients."""
        named = [(name, snapshot.parameters[name]) for name in snapshot.gradient_norms]
        if not named:
            return {}
        gradients = [p.grad for _, p in named if p.grad is not None]
        norms = list(snapshot.gradient_norms.values())
        if isinstance(snapshot.gradient_scale, Tensor):  # a fused optimizer will divide by it
            norms = [norm / snapshot.gradient_scale for norm in norms]
        gradient_norm = torch.stack(norms).norm()
        parameter_norm = torch.stack(tensor_norms([p for _, p in named])).norm()
        layers = [(name, norm) for (name, p), norm in zip(named, norms, strict=True) if p.ndim > 1]
        network = snapshot.network_name
        numbers: dict[str, float | Tensor] = {
            f"norm/{network}": gradient_norm,
            f"relative/{network}": gradient_norm / parameter_norm,
            f"parameter_norm/{network}": parameter_norm,
            f"non_finite/{network}": _count_non_finite(gradients, gradient_norm),
        }
        if len(layers) > 1:
            numbers[f"first_to_last/{network}"] = layers[0][1] / layers[-1][1]
        if snapshot.input_gradient is not None:
            numbers[f"backprop_gain/{network}"] = gradient_norm / snapshot.input_gradient.norm()
        if self.layers:
            numbers |= {f"norm.{name}/{network}": norm for name, norm in layers}
        return numbers


def _count_non_finite(gradients: Sequence[Tensor], norm: Tensor) -> float | Tensor:
    """Number of gradient entries that are NaN or infinite.

    If the norm is finite, so is every entry, and they need not be read. On a GPU the entries are
    always counted: to read the norm, the host would have to wait for the GPU.
    """
    if norm.device.type == "cpu" and math.isfinite(norm.double().numpy()):
        return 0.0
    # g - g is NaN where g is not finite. To count NaNs takes a quarter of the time of isfinite().
    return torch.stack([torch.count_nonzero(g - g) for g in gradients]).sum()
