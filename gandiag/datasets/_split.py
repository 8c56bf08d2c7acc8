"""Holding samples out of a set that comes in one piece."""

from __future__ import annotations

import torch
from torch import Tensor

from gandiag.datasets.data import Data


def split_held_out(samples: Tensor, labels: Tensor | None, share: float, seed: int) -> Data:
    """Hold out a random `share` of the samples, at least one; at least one is left to train on.

    Args:
        samples: ``(N, ...)`` with N at least 2.
        labels: int64, ``(N,)``, or None.
        share: in (0, 1).
        seed: the same seed holds out the same samples.

    >>> data = split(torch.arange(10).reshape(10, 1), None, 0.2, seed=0)
    >>> len(data.train), len(data.held_out)
    (8, 2)
    """
    count = len(samples)
    kept = min(max(round(count * share), 1), count - 1)
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
    held_out, train = order[:kept], order[kept:]
    if labels is None:
        return Data(samples[train], samples[held_out])
    return Data(samples[train], samples[held_out], labels[train], labels[held_out])


def check_split_options(share: float, seed: int) -> None:
    """Raise `ValueError` for what `split_held_out` cannot work with."""
    if not 0 < share < 1:
        raise ValueError("held_out_share lies between 0 and 1, both excluded")
    if seed < 0:
        raise ValueError("seed is not negative")
