"""Moves measured numbers from their devices to the host, in one copy."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from gandiag.records.record import Row
from gandiag.records.storage import Value


def to_rows(pending: Mapping[int, Mapping[str, float | Tensor]]) -> list[Row]:
    """Rows in the order of their steps.

    Args:
        pending: by step and signal, floats and 0-dim or 1-dim tensors on whatever device.
    """
    found = [v for row in pending.values() for v in row.values() if isinstance(v, Tensor)]
    device = next((tensor.device for tensor in found if tensor.is_cuda), None)  # probes may mix
    parts = [_flat(tensor, device) for tensor in found]
    flat = iter(torch.cat(parts).tolist() if parts else ())

    def value(item: float | Tensor) -> Value:
        if not isinstance(item, Tensor):
            return float(item)
        return next(flat) if item.ndim == 0 else [next(flat) for _ in range(item.numel())]

    return [
        Row(step, {name: value(item) for name, item in row.items()})
        for step, row in sorted(pending.items())
    ]


def _flat(tensor: Tensor, device: torch.device | None) -> Tensor:
    """A vector that can be joined with others without loss; most are float32, and stay it."""
    flat = tensor.reshape(-1) if device is None else tensor.reshape(-1).to(device)
    return flat if flat.dtype == torch.float32 else flat.double()
