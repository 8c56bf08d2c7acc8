"""What the ranks of a training share of a turn: numbers are averaged, samples put together."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from gandiag.monitoring.features import SIDE, flatten


def average_messages(
    own: Mapping[str, float | Tensor], others: Sequence[Mapping[str, Tensor]]
) -> dict[str, float | Tensor]:
    """Each number's mean over the ranks that measured it; a NaN of one rank stays NaN.

    Vectors stay rank 0's own: what stands at one place of two of them belongs together.

    >>> average_messages({"loss": 1.0}, [{"loss": torch.tensor(2.0)}])
    {'loss': tensor(1.5000, dtype=torch.float64)}
    >>> average_messages({"loss": 1.0}, [{}])
    {'loss': 1.0}
    """
    if not others:
        return dict(own)
    means: dict[str, float | Tensor] = {}
    for name, value in own.items():
        mine = torch.as_tensor(value)
        told = [other[name].to(mine.device) for other in others if name in other]
        same = [tensor.double() for tensor in told if tensor.ndim == mine.ndim == 0]
        means[name] = torch.stack([mine.double(), *same]).mean(0) if same else value
    return means


def rank_share(fakes: Tensor, size: int, ranks: int) -> Tensor:
    """One rank's part of `size` fakes, its newest ``(n, *shape)``; large images averaged down.

    What `features.flatten` makes of them is the same as of the originals; 512 images of
    256 x 256 pixels would be 400 MB.
    """
    return _coarse(fakes[-math.ceil(size / ranks) :])


def merge_shares(own: Tensor, others: Sequence[Tensor], size: int) -> Tensor:
    """Up to `size` fakes ``(n, *shape)``: what the other ranks sent, filled up with rank 0's own.

    Where they sent none, its own as they are.

    A rank whose fakes are rank 0's to the last bit adds nothing to what is known, and is left out
    with a warning: copies would pass for a lack of variety.
    """
    if not others:
        return own
    mine = _coarse(own)
    theirs = [fakes.to(mine.device) for fakes in others]
    distinct = [fakes for fakes in theirs if not torch.equal(mine[-len(fakes) :], fakes)]
    if len(distinct) < len(theirs):
        text = "ranks draw the same latents as rank 0; seed each with a number of its own"
        warnings.warn(text, RuntimeWarning, stacklevel=2)
    missing = max(size - sum(len(fakes) for fakes in distinct), 0)
    return torch.cat([mine[len(mine) - min(missing, len(mine)) :], *distinct])


def _coarse(samples: Tensor) -> Tensor:
    if samples.ndim == 4 and max(samples.shape[2:]) > SIDE:
        return flatten(samples).reshape(len(samples), samples.shape[1], SIDE, SIDE)
    return samples
