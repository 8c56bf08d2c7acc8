"""How like the real samples fakes are, in a feature space: diversity, fidelity, distance."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Reals", "measure"]

MISSING = 0.2  # a bin below this share of its real mass counts as missed; K=32 needs n >= 256
FEW = 4  # fakes that a bin must hold before its dispersion is read
ROWS = 500  # a CPU holds the distances of: 1 MB stays in its cache, 4 MB take 1.6 times as long


@dataclass(frozen=True)
class Reals:
    """Real samples in a feature space, with the bins and neighbourhoods that they make there.

    Attributes:
        features: ``(n, f)`` real samples in feature space.
        centres: ``(K, f)`` k-means centres of `features`.
        shares: ``(K,)`` share of the real samples in each bin.
        spread: ``(K,)`` mean squared distance of a bin's real samples from its centre.
        radii: ``(n,)`` distance of each feature to its k-th neighbour.
        self_distance: mean distance between two features.
    """

    features: Tensor
    centres: Tensor
    shares: Tensor
    spread: Tensor
    radii: Tensor
    self_distance: float

    def distances(self, features: Tensor, rows: int) -> Iterator[Tensor]:
        """The rows of `torch.cdist` from the real samples, so many at a time, in the same memory.

        By its formula, |a|^2 - 2 ab + |b|^2 as one matrix product.
        """
        squares = features.square().sum(1, keepdim=True)
        right = torch.cat([features, torch.ones_like(squares), squares], 1).T
        room = features.new_empty(min(rows, len(self.features)), len(features))
        for part in torch.split(self._left, rows):
            yield torch.mm(part, right, out=room[: len(part)]).clamp_(min=0).sqrt_()

    @functools.cached_property
    def _left(self) -> Tensor:
        squares = self.features.square().sum(1, keepdim=True)
        return torch.cat([-2 * self.features, squares, torch.ones_like(squares)], 1)


def measure(reals: Reals, features: Tensor) -> dict[str, Tensor]:
    """Compare ``(n, f)`` features of fakes with the real ones; no host synchronisation.

    Features are float32, on the real ones' device.

    Returns:
        0-dim tensors, not yet divided by any null, and one vector; all NaN where a feature is not
        finite:

        - ``bins`` ``(K,)``: share of the fakes in each bin.
        - ``effective_bins``: exp H(bins) / exp H(real shares); 1 for equal diversity, 1/K' when
          all lies in one of K' equal bins.
        - ``missing_mass``: real mass of the bins that hold under `MISSING` of their share, [0, 1].
        - ``divergence``: Jensen-Shannon divergence of the two histograms in nats, [0, ln 2].
        - ``dispersion``: median over bins of squared distance from the bin's centre, fake / real.
        - ``precision``: share of fakes inside some real sample's neighbourhood (Kynkaanniemi et
          al. 2019), [0, 1]. ``<=``, so that repeated samples do not break it.
        - ``coverage``: share of real neighbourhoods that hold a fake (Naeem et al. 2020), [0, 1].
        - ``energy``: unbiased squared energy distance (Szekely & Rizzo 2013) over the real mean
          pair distance; about 0 for equal distributions.
        - ``spread``: mean pair distance of the fakes over that of the reals.
    """
    nearest, owner = torch.cdist(features, reals.centres).min(1)
    every_bin = torch.arange(len(reals.centres), device=owner.device)
    member = (owner[:, None] == every_bin).to(features)
    counts = member.sum(0)
    bins = counts / len(features)
    spread = (member * nearest.square()[:, None]).sum(0) / counts.clamp(min=1)
    ratio = torch.where(counts >= FEW, spread / reals.spread.clamp(min=1e-12), torch.nan)
    distance, around_fakes, around_reals = _surroundings(reals, features)
    own = _mean_pair_distance(features)
    shares = reals.shares
    middle = (bins + shares) / 2
    found = {
        "bins": bins,
        "effective_bins": (_entropy(bins) - _entropy(shares)).exp(),
        "missing_mass": (shares * (bins < MISSING * shares)).sum(),
        "divergence": _entropy(middle) - (_entropy(bins) + _entropy(shares)) / 2,
        "dispersion": ratio.nanmedian(0).values,  # without an axis it waits for the GPU
        "precision": (around_fakes > 0).float().mean(),
        "coverage": (around_reals > 0).float().mean(),
        "energy": (2 * distance - own - reals.self_distance) / reals.self_distance,
        "spread": own / reals.self_distance,
    }
    ends = torch.stack(torch.aminmax(features))  # NaN goes through; a tenth of isfinite's time
    lost = torch.where(ends.isfinite().all(), 0.0, torch.nan)  # NaN would fall into some cell
    return {name: value + lost for name, value in found.items()}


def _surroundings(reals: Reals, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean distance of real samples and fakes, and how many neighbourhoods hold which.

    Of each fake ``(m,)``, in how many real neighbourhoods it lies, and of each real sample
    ``(n,)``, how many fakes lie in its own.
    """
    total, around_fakes = features.new_zeros(()), features.new_zeros(len(features))
    around_reals = []
    rows = len(reals.features) if features.is_cuda else ROWS
    limits = torch.split(reals.radii[:, None], rows)
    for limit, distances in zip(limits, reals.distances(features, rows), strict=True):
        total = total + distances.sum()
        inside = distances.le_(limit)  # in place, as 0 and 1: faster than as bool
        around_fakes = around_fakes + inside.new_ones(len(inside)) @ inside
        around_reals.append(inside.sum(1))
    return total / (len(reals.features) * len(features)), around_fakes, torch.cat(around_reals)


def _mean_pair_distance(features: Tensor) -> Tensor:
    n = len(features)
    return torch.cdist(features, features).sum() / max(n * (n - 1), 1)


def _entropy(shares: Tensor) -> Tensor:
    return -torch.xlogy(shares, shares).sum()
