"""What a user's own loop passes to the networks: real batches, conditions and latents."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from gandiag.monitoring.snapshot import Snapshot

# Inputs of one call that are recorded; loops pass one or two beside the samples.
MAX_INPUTS = 4
# Random directions onto which real samples are projected, and the entries of a sample in them. A
# batch of 64 takes 0.1 ms.
DIRECTIONS, MAX_ENTRIES = 8, 4096
# Relative difference of equal rows: kernels may compute the rows of a batch in different orders.
ROUNDING = 1e-5


@dataclass(frozen=True)
class Inputs:
    """Statistics of the real batches, and whether conditions and latents vary.

    A condition is an input that has one row for each sample, such as class labels. Nothing is
    recorded of a batch of one sample. Vectors have one entry for each input; missing ones are NaN.
    """

    uses: ClassVar[frozenset[str]] = frozenset({"loop_trace"})

    def observe(self, snapshot: Snapshot) -> Mapping[str, float | Tensor]:
        """Return the numbers of the stepping network's inputs; none for gandiag's own loop."""
        inputs = None if snapshot.loop_trace is None else snapshot.loop_trace.inputs
        if inputs is None:
            return {}
        if snapshot.network_name == "discriminator":
            numbers = _describe_conditions(inputs.real_conditions)
            if inputs.real is not None and len(inputs.real) > 1:
                numbers |= _describe_batch(inputs.real)
        else:
            numbers = _describe_conditions(inputs.fake_conditions)
            if inputs.generated is not None and len(inputs.generated) > 1:
                latents = [each for each in inputs.generator_inputs if each.is_floating_point()]
                if latents:
                    same = [_has_same_rows(each) for each in (*latents, inputs.generated)]
                    numbers["same_latents"] = torch.stack(same).all().float()
        return {f"{name}/{snapshot.network_name}": value for name, value in numbers.items()}


def _describe_conditions(conditions: Sequence[Tensor]) -> dict[str, float | Tensor]:
    """Whether the rows of each condition are equal, and the mean of each condition."""
    chosen = [each for each in conditions[:MAX_INPUTS] if len(each) > 1]
    if not chosen:
        return {}
    padding = chosen[0].new_full((MAX_INPUTS - len(chosen),), torch.nan, dtype=torch.float32)
    same = torch.stack([_has_same_rows(each).float() for each in chosen])
    # The mean of the first row, its entries weighted by their positions: equal for equal rows, and
    # different for one-hot vectors of different classes.
    values = torch.stack([_weigh_entries(each[0]) for each in chosen])
    return {
        "same_condition": torch.cat([same, padding]),
        "condition": torch.cat([values, padding]),
    }


def _describe_batch(real: Tensor) -> dict[str, float | Tensor]:
    """Mean and variance of a batch of real samples in random directions."""
    flat = real.flatten(1)
    flat = flat[:, :: -(-flat.shape[1] // MAX_ENTRIES)].float()
    projected = flat @ _draw_directions(flat.shape[1]).to(flat)
    return {
        "real_mean": projected.mean(0),
        "real_variance": projected.var(0),
        "real_count": float(len(real)),
    }


def _has_same_rows(values: Tensor) -> Tensor:
    """Whether all rows of a tensor are equal up to rounding, 0-dim."""
    rows = values.detach().flatten(1) if values.ndim > 1 else values.detach()[:, None]
    rows = rows.float()
    is_same: Tensor = (rows - rows[:1]).abs().max() <= ROUNDING * rows.abs().max()
    return is_same


def _weigh_entries(row: Tensor) -> Tensor:
    """Sum of the entries of a row, each times its position, over their number; 0-dim."""
    entries = row.detach().flatten().float()
    positions = torch.arange(1, len(entries) + 1, device=entries.device)
    weighted: Tensor = (entries * positions).sum()
    weighted /= len(entries)
    return weighted


@functools.lru_cache(maxsize=4)
def _draw_directions(size: int) -> Tensor:
    """Random directions ``(size, DIRECTIONS)``, the same ones each time."""
    # A generator of its own: the global one belongs to the user's training.
    generator = torch.Generator().manual_seed(0)
    directions = torch.randn(size, DIRECTIONS, generator=generator)
    return directions / math.sqrt(size)
