"""Moves measured numbers from their devices to the host in one copy."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from gandiag.records.record import Row
from gandiag.records.storage import Value


def to_rows(pending: Mapping[int, Mapping[str, float | Tensor]]) -> list[Row]:
    """Convert measured numbers to rows of a record, in the order of their steps.

    Each copy from a GPU makes the host wait for it, so all tensors are concatenated first.

    Args:
        pending: by step and signal, numbers and 0-dim or 1-dim tensors on any device.
    """
    tensors = [v for row in pending.values() for v in row.values() if isinstance(v, Tensor)]
    # Probes may return tensors of the CPU and of a GPU side by side.
    device = next((tensor.device for tensor in tensors if tensor.is_cuda), None)
    parts = [_flatten(tensor, device) for tensor in tensors]
    numbers = iter(torch.cat(parts).tolist() if parts else ())

    def to_value(item: float | Tensor) -> Value:
        if not isinstance(item, Tensor):
            return float(item)
        return next(numbers) if item.ndim == 0 else [next(numbers) for _ in range(item.numel())]

    # The values are read in the order in which the tensors were concatenated: sort rows afterwards.
    rows = [
        Row(step, {name: to_value(item) for name, item in row.items()})
        for step, row in pending.items()
    ]
    return sorted(rows, key=lambda row: row.step)


def _flatten(tensor: Tensor, device: torch.device | None) -> Tensor:
    """A vector that can be concatenated with others without loss.

    Most tensors are float32 and stay float32; to concatenate them with float64 is exact.
    """
    flat = tensor.reshape(-1) if device is None else tensor.reshape(-1).to(device)
    return flat if flat.dtype == torch.float32 else flat.double()
