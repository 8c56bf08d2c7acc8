"""Generators that are known by construction: perfect, with lost kinds, blurred, without a tail."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from gandiag.benchmarks.static.data_sets import Array, Kinds, Source, to_tensor

# What each generator makes, by its name. The first three lack kinds; the others do not collapse.
LOST = {
    "half": "half of the kinds, with 40 to 60 % of the data",
    "quarter": "a quarter of the kinds",
    "one": "one kind",
}
KEPT = {
    "perfect": "fresh real samples",
    "blurred": "fresh real samples, each averaged with its nearest two of 2,000, or with noise",
    "no_tail": "all kinds but the rarest, which together have 2 % of the data at most",
}
# A draw of half of unequal kinds is repeated until the kept share of the data is in this range.
HALF_RANGE = (0.4, 0.6)
TAIL_MASS = 0.02
# Standard deviation of the noise in place of blur, in standard deviations of all numbers.
NOISE = 0.2


def choose_kept(name: str, shares: Array, stream: np.random.Generator) -> Kinds:
    """Choose the kinds that the generator `name` makes.

    Args:
        name: one of `LOST` and `KEPT`.
        shares: ``(K,)`` shares of the kinds in the data.
        stream: random numbers.
    """
    count = len(shares)
    if name == "no_tail":
        order = np.argsort(shares)
        lost = max(int((np.cumsum(shares[order]) <= TAIL_MASS).sum()), 0)
        return np.sort(order[lost:])
    size = {"half": count // 2, "quarter": max(count // 4, 2), "one": 1}.get(name, count)
    for _ in range(1000):
        kept = stream.choice(count, size, replace=False)
        if name != "half" or HALF_RANGE[0] <= shares[kept].sum() <= HALF_RANGE[1]:
            break
    return np.sort(kept)


def draw_samples(
    source: Source, kept: Kinds, count: int, stream: np.random.Generator, fresh: int
) -> Tensor:
    """Draw ``(count, *shape)`` samples of the kinds `kept`, in proportion to their shares."""
    shares = source.shares[kept] / source.shares[kept].sum()
    return to_tensor(source.draw(stream.choice(kept, count, p=shares), stream, fresh))


def generate(name: str, source: Source, count: int, stream: np.random.Generator) -> Tensor:
    """Draw ``(count, *shape)`` samples of the generator `name`."""
    kept = choose_kept(name, source.shares, stream)
    samples = draw_samples(source, kept, count, stream, fresh=1)
    if name != "blurred":
        return samples
    if not source.can_average:
        noise = torch.from_numpy(stream.standard_normal(samples.shape)).float()
        return samples + NOISE * samples.std() * noise
    others = draw_samples(source, kept, 2000, stream, fresh=1)
    distances = torch.cdist(samples.flatten(1), others.flatten(1))
    # A sample that was drawn twice is at distance 0, and averaging with it would blur nothing.
    distances[distances < 1e-3 * distances.mean()] = torch.inf
    nearest = distances.topk(2, largest=False).indices
    return (samples + others[nearest].sum(1)) / 3
