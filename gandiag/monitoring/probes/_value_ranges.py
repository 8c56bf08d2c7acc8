"""The ranges of values that the discriminator sees, and those that the generator can reach."""

from __future__ import annotations

import torch
from torch import Tensor

from gandiag.monitoring.snapshot import LoopTrace, Snapshot

# A real value is out of the generator's reach where it exceeds the bounds of the generator's last
# layer by more than this share of their difference. Bicubic resizing overshoots by about as much
# (Keys 1981: 7 % at a step from black to white), and dequantisation noise adds 1 of 255.
SLACK = 0.1


def describe_ranges(snapshot: Snapshot, trace: LoopTrace) -> dict[str, float | Tensor]:
    """Smallest and largest values of the samples in the step of one network."""
    numbers: dict[str, float | Tensor] = {}
    if snapshot.network_name == "generator":
        generated = None if trace.inputs is None else trace.inputs.generated
        numbers |= _find_range("generated", generated) | _find_range("fake", snapshot.fake)
        return numbers
    numbers |= _find_range("real", snapshot.real) | _find_range("fake", snapshot.fake)
    if trace.output_bounds is None:
        return numbers
    low, high = trace.output_bounds
    numbers |= {"output_low": low, "output_high": high}
    if snapshot.real is not None and snapshot.real.numel():
        slack = SLACK * (high - low)
        real = snapshot.real
        numbers["out_of_reach"] = ((real < low - slack) | (real > high + slack)).float().mean()
    return numbers


def _find_range(name: str, samples: Tensor | None) -> dict[str, Tensor]:
    if samples is None or not samples.numel() or not samples.is_floating_point():
        return {}
    low, high = torch.aminmax(samples)
    return {f"{name}_low": low, f"{name}_high": high}
