"""How like the real samples fakes are, in a feature space: diversity, fidelity, distance."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

MISSED_SHARE = 0.2  # a bin below this share of its real mass counts as missed; K=32 needs n >= 256
MIN_FAKES_PER_MODE = 4  # fakes that a bin must hold before its dispersion is read
CACHED_DISTANCES = (
    256_000  # distances that a CPU holds: 1 MB stays in its cache, 4 MB take 1.6 times as long
)


@dataclass(frozen=True)
class RealStats:
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


@dataclass(frozen=True)
class FakeStats:
    """Fakes among real samples: what is known of each fake, and which real samples have one near.

    Attributes:
        features: ``(m, f)`` of the fakes, in the order in which they were made.
        largest: ``(m,)`` largest absolute value of each sample, in data units.
        owner: ``(m,)`` bin of each.
        squares: ``(m,)`` squared distance from the bin's centre.
        distance: ``(m,)`` mean distance from the real samples.
        around: ``(m,)`` how many real neighbourhoods each lies in.
        newest: ``(n,)`` place of the newest fake in each real sample's neighbourhood, counted from
            the first; negative where there is none.
    """

    features: Tensor
    largest: Tensor
    nearest_centre: Tensor
    squared_distance: Tensor
    mean_distance: Tensor
    neighbourhoods: Tensor
    newest: Tensor

    @classmethod
    def of(cls, reals: RealStats, features: Tensor, largest: Tensor) -> FakeStats:
        """Place ``(m, f)`` float32 features of samples on the real ones' device."""
        nearest, owner = torch.cdist(features, reals.centres).min(1)
        distance, around = features.new_zeros((2, len(features)))
        order = torch.arange(1.0, len(features) + 1.0, device=features.device)
        newest = []
        rows = (
            len(reals.features) if features.is_cuda else max(1, CACHED_DISTANCES // len(features))
        )
        limits = torch.split(reals.radii[:, None], rows)
        for limit, distances in zip(limits, reals.distances(features, rows), strict=True):
            ones = distances.new_ones(len(distances))
            distance = distance + ones @ distances
            inside = distances.le_(limit)  # in place, as 0 and 1: faster than as bool
            around = around + ones @ inside
            newest.append(inside.mul_(order).amax(1) - 1)
        mean = distance / len(reals.features)
        squares = nearest.square()
        return cls(features, largest, owner, squares, mean, around, torch.cat(newest))

    def updated(self, later: FakeStats, size: int) -> FakeStats:
        """The newest `size` of these fakes and of others that were made later."""
        added = len(later.features)
        lost = max(len(self.features) + added - size, 0)
        shifted = later.newest + len(self.features)

        def joined(name: str) -> Tensor:
            return torch.cat([getattr(self, name), getattr(later, name)])[-size:]

        rows = (
            "features",
            "largest",
            "nearest_centre",
            "squared_distance",
            "mean_distance",
            "neighbourhoods",
        )
        newest = torch.where(later.newest >= 0, shifted, self.newest) - lost
        return FakeStats(**{name: joined(name) for name in rows}, newest=newest)


def compare_features(reals: RealStats, features: Tensor) -> dict[str, Tensor]:
    """Compare ``(n, f)`` features of fakes with the real ones, see `compare`."""
    return compare(reals, FakeStats.of(reals, features, largest_of(features)))


def largest_of(rows: Tensor) -> Tensor:
    """Largest absolute value ``(m,)`` in each row of ``(m, D)``; 0.7 of the time of ``abs()``."""
    return torch.maximum(rows.amax(1), -rows.amin(1))


def compare(reals: RealStats, fakes: FakeStats) -> dict[str, Tensor]:
    """Compare fakes with real samples; no host synchronisation.

    Returns:
        0-dim tensors, not yet divided by any null, and one vector; all NaN where a feature is not
        finite:

        - ``mode_histogram`` ``(K,)``: share of the fakes in each bin.
        - ``effective_modes``: exp H(bins) / exp H(real shares); 1 for equal diversity, 1/K' when
          all lies in one of K' equal bins.
        - ``missing_mass``: real mass of the bins that hold under `MISSED_SHARE` of their share,
          [0, 1].
        - ``js_divergence``: Jensen-Shannon divergence of the two histograms in nats, [0, ln 2].
        - ``within_mode_variance``: median over bins of squared distance from the bin's centre, fake / real.
        - ``precision``: share of fakes inside some real sample's neighbourhood (Kynkaanniemi et
          al. 2019), [0, 1]. ``<=``, so that repeated samples do not break it.
        - ``coverage``: share of real neighbourhoods that hold a fake (Naeem et al. 2020), [0, 1].
        - ``energy_distance``: unbiased squared energy distance (Szekely & Rizzo 2013) over the real mean
          pair distance; about 0 for equal distributions.
        - ``pair_distance``: mean pair distance of the fakes over that of the reals.
    """
    every_bin = torch.arange(len(reals.centres), device=fakes.nearest_centre.device)
    member = (fakes.nearest_centre[:, None] == every_bin).to(fakes.features)
    counts = member.sum(0)
    bins = counts / len(fakes.nearest_centre)
    spread = (member * fakes.squared_distance[:, None]).sum(0) / counts.clamp(min=1)
    ratio = torch.where(
        counts >= MIN_FAKES_PER_MODE, spread / reals.spread.clamp(min=1e-12), torch.nan
    )
    own = _mean_pair_distance(fakes.features)
    shares = reals.shares
    middle = (bins + shares) / 2
    apart = 2 * fakes.mean_distance.mean() - own
    found = {
        "mode_histogram": bins,
        "effective_modes": (_entropy(bins) - _entropy(shares)).exp(),
        "missing_mass": (shares * (bins < MISSED_SHARE * shares)).sum(),
        "js_divergence": _entropy(middle) - (_entropy(bins) + _entropy(shares)) / 2,
        "within_mode_variance": ratio.nanmedian(0).values,  # without an axis it waits for the GPU
        "precision": (fakes.neighbourhoods > 0).float().mean(),
        "coverage": (fakes.newest >= 0).float().mean(),
        "energy_distance": (apart - reals.self_distance) / reals.self_distance,
        "pair_distance": own / reals.self_distance,
    }
    ends = torch.stack(
        torch.aminmax(fakes.features)
    )  # a tenth of isfinite's time, NaN goes through
    lost = torch.where(ends.isfinite().all(), 0.0, torch.nan)  # NaN would fall into some cell
    return {name: value + lost for name, value in found.items()}


def _mean_pair_distance(features: Tensor) -> Tensor:
    n = len(features)
    return torch.cdist(features, features).sum() / max(n * (n - 1), 1)


def _entropy(shares: Tensor) -> Tensor:
    return -torch.xlogy(shares, shares).sum()
