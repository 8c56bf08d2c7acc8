"""Random split of a data set into training and held-out samples."""

from __future__ import annotations

import torch
from torch import Tensor

from gandiag.datasets.data import Data


def split_held_out(samples: Tensor, labels: Tensor | None, share: float, seed: int) -> Data:
    """Hold out a random share of the samples: at least one, and at most all but one.

    Args:
        samples: ``(N, *shape)`` with N at least 2.
        labels: ``(N,)`` int64 classes, or None.
        share: share of held-out samples, in (0, 1).
        seed: the same seed holds out the same samples.

    >>> data = split_held_out(torch.arange(10).reshape(10, 1), None, 0.2, seed=0)
    >>> len(data.train), len(data.held_out)
    (8, 2)
    """
    count = len(samples)
    held_out_count = min(max(round(count * share), 1), count - 1)
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
    held_out, train = order[:held_out_count], order[held_out_count:]
    if labels is None:
        return Data(samples[train], samples[held_out])
    return Data(samples[train], samples[held_out], labels[train], labels[held_out])


def check_split_options(share: float, seed: int) -> None:
    """Check the options of `split_held_out`.

    Raises:
        ValueError: the share or the seed is out of range. The message names the option.
    """
    if not 0 < share < 1:
        raise ValueError("held_out_share must lie between 0 and 1, both excluded")
    if seed < 0:
        raise ValueError("seed must not be negative")
