"""Metrics that compare generated samples with real ones in a feature space.

The metrics measure diversity (effective modes, missing mass, coverage), fidelity (precision) and
distance (energy distance, Jensen-Shannon divergence). `Reference` provides the real samples.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

# A mode that contains less than this share of its real share counts as missed. With 32 modes, 512
# samples put 16 into a mode on average; 3 or fewer happen by chance with P = 1e-4 (Poisson). With
# 256 samples, 1 or fewer of 8 happen with P = 0.003, so 256 samples are the least to use.
MISSED_SHARE = 0.2
# Generated samples that a mode must contain before its variance is measured: the variance of
# fewer samples is mostly chance.
MIN_FAKES_PER_MODE = 4
# Distances computed at a time on a CPU: 1 MB of float32 stays in the cache. Blocks of 4 MB take
# 1.6 times as long.
CACHED_DISTANCES = 256_000


@dataclass(frozen=True)
class RealStats:
    """Real samples in a feature space, with their modes and neighbourhoods.

    Attributes:
        features: ``(n, f)`` real samples in feature space.
        centres: ``(K, f)`` k-means centres of `features`; each k-means cell is one mode.
        mode_shares: ``(K,)`` share of the real samples in each mode; the shares sum to 1.
        mode_variances: ``(K,)`` mean squared distance of a mode's real samples from its centre.
        radii: ``(n,)`` distance of each real sample to its k-th nearest real neighbour.
        self_distance: mean distance between two different rows of `features`.
    """

    features: Tensor
    centres: Tensor
    mode_shares: Tensor
    mode_variances: Tensor
    radii: Tensor
    self_distance: float

    def iterate_distances(self, features: Tensor, rows: int) -> Iterator[Tensor]:
        """Yield the distances from the real samples to `features`, `rows` real samples at a time.

        The distances are those of ``torch.cdist(self.features, features)``. They come from
        |a|² - 2ab + |b|², written as one matrix product of extended vectors. Each block overwrites
        the memory of the previous block.

        Args:
            features: ``(m, f)`` samples in feature space.
            rows: number of real samples per block.

        Yields:
            ``(rows, m)`` distances; the last block may have fewer rows.
        """
        squares = features.square().sum(1, keepdim=True)
        right = torch.cat([features, torch.ones_like(squares), squares], 1).T
        block = features.new_empty(min(rows, len(self.features)), len(features))
        for part in torch.split(self._extended_features, rows):
            # Rounding can make the square of a small distance negative: hence the clamp.
            yield torch.mm(part, right, out=block[: len(part)]).clamp_(min=0).sqrt_()

    @functools.cached_property
    def _extended_features(self) -> Tensor:
        """Rows ``[-2a, |a|², 1]``: the left factor of the product in `iterate_distances`."""
        squares = self.features.square().sum(1, keepdim=True)
        return torch.cat([-2 * self.features, squares, torch.ones_like(squares)], 1)


@dataclass(frozen=True)
class FakeStats:
    """Generated samples compared with real samples: all that the metrics need of each sample.

    These numbers do not depend on the other generated samples. So a new batch is added to the
    numbers of the earlier ones (`append`), and only the new batch is compared with the real data.

    Attributes:
        features: ``(m, f)`` generated samples in feature space, oldest first.
        max_abs: ``(m,)`` largest absolute value of each sample, in data units.
        nearest_centre: ``(m,)`` index of the mode that each sample belongs to.
        squared_distance: ``(m,)`` squared distance of each sample from the centre of its mode.
        mean_distance: ``(m,)`` mean distance of each sample from the real samples.
        neighbourhood_count: ``(m,)`` number of real neighbourhoods that contain the sample.
        newest_neighbour: ``(n,)`` index of the newest generated sample in each real sample's
            neighbourhood; negative where the neighbourhood contains none.
        view_cells: ``(m, 1 + V)`` mode of each sample, and its cell in each view, see `Views`.
        on_data: ``(m, V)`` whether each sample is on the data in each view.
    """

    features: Tensor
    max_abs: Tensor
    nearest_centre: Tensor
    squared_distance: Tensor
    mean_distance: Tensor
    neighbourhood_count: Tensor
    newest_neighbour: Tensor
    view_cells: Tensor
    on_data: Tensor

    @classmethod
    def from_features(cls, reals: RealStats, features: Tensor, max_abs: Tensor) -> FakeStats:
        """Compare generated samples with the real ones, without any view.

        Args:
            reals: the real samples.
            features: ``(m, f)`` float32 features of the samples, on the device of `reals`.
            max_abs: ``(m,)`` largest absolute value of each sample, in data units.
        """
        to_centre, nearest_centre = torch.cdist(features, reals.centres).min(1)
        distance_sum, neighbourhood_count = features.new_zeros((2, len(features)))
        order = torch.arange(1.0, len(features) + 1.0, device=features.device)
        newest = []
        rows = (
            len(reals.features) if features.is_cuda else max(1, CACHED_DISTANCES // len(features))
        )
        radii = torch.split(reals.radii[:, None], rows)
        for radius, distances in zip(radii, reals.iterate_distances(features, rows), strict=True):
            # A product with a vector of ones is the fastest sum over rows.
            ones = distances.new_ones(len(distances))
            distance_sum = distance_sum + ones @ distances
            inside = distances.le_(radius)  # in place, as 0.0 and 1.0: faster than booleans
            neighbourhood_count = neighbourhood_count + ones @ inside
            newest.append(inside.mul_(order).amax(1) - 1)
        mean_distance = distance_sum / len(reals.features)
        squared = to_centre.square()
        return cls(
            features=features,
            max_abs=max_abs,
            nearest_centre=nearest_centre,
            squared_distance=squared,
            mean_distance=mean_distance,
            neighbourhood_count=neighbourhood_count,
            newest_neighbour=torch.cat(newest),
            view_cells=nearest_centre.new_empty(len(features), 0),
            on_data=nearest_centre.new_empty((len(features), 0), dtype=torch.bool),
        )

    def append(self, newer: FakeStats, size: int) -> FakeStats:
        """Return the newest `size` of these samples followed by `newer` samples."""
        dropped = max(len(self.features) + len(newer.features) - size, 0)
        shifted = newer.newest_neighbour + len(self.features)
        newest = torch.where(newer.newest_neighbour >= 0, shifted, self.newest_neighbour) - dropped

        def join(name: str) -> Tensor:
            return torch.cat([getattr(self, name), getattr(newer, name)])[-size:]

        per_sample = (
            "features",
            "max_abs",
            "nearest_centre",
            "squared_distance",
            "mean_distance",
            "neighbourhood_count",
            "view_cells",
            "on_data",
        )
        return FakeStats(**{name: join(name) for name in per_sample}, newest_neighbour=newest)


def compute_feature_metrics(reals: RealStats, features: Tensor) -> dict[str, Tensor]:
    """Compute the metrics of ``(n, f)`` features of samples, see `compute_sample_metrics`."""
    fakes = FakeStats.from_features(reals, features, max_abs_per_sample(features))
    return compute_sample_metrics(reals, fakes)


def max_abs_per_sample(rows: Tensor) -> Tensor:
    """Largest absolute value ``(m,)`` in each row of ``(m, D)``.

    It takes 0.7 of the time of ``rows.abs().amax(1)``, which would store all absolute values.
    """
    return torch.maximum(rows.amax(1), -rows.amin(1))


def compute_sample_metrics(reals: RealStats, fakes: FakeStats) -> dict[str, Tensor]:
    """Compare generated samples with real ones, without making the host wait for a GPU.

    Returns:
        0-dim tensors and one vector, not yet divided by the real-vs-real baseline. All of them are
        NaN if a feature of a generated sample is not finite.

        - ``mode_histogram`` ``(K,)``: share of the generated samples in each mode.
        - ``effective_modes``: exp(H(q) - H(p)) for the entropies H of the histograms of generated
          (q) and real samples (p). It is 1 for equal diversity, and k/K if all generated samples
          lie in k of K equal modes.
        - ``missing_mass``: real share of the modes that contain less than `MISSED_SHARE` of their
          real share, in [0, 1].
        - ``js_divergence``: Jensen-Shannon divergence of both histograms in nats, in [0, ln 2].
        - ``within_mode_variance``: median over modes of the mean squared distance from the mode's
          centre, generated over real.
        - ``precision``: share of generated samples inside the neighbourhood of a real sample
          (Kynkäänniemi et al. 2019), in [0, 1]. A distance equal to the radius counts as inside,
          so data with repeated samples (radius 0) work too.
        - ``coverage``: share of real neighbourhoods that contain a generated sample (Naeem et al.
          2020), in [0, 1].
        - ``energy_distance``: unbiased squared energy distance (Székely & Rizzo 2013),
          2 E|x - y| - E|x - x'| - E|y - y'|, over the mean distance between two real samples;
          about 0 for equal distributions.
        - ``pair_distance``: mean distance between two generated samples over that of two real ones.
    """
    modes = torch.arange(len(reals.centres), device=fakes.nearest_centre.device)
    # One-hot membership: bincount would make the host wait for the GPU.
    is_member = (fakes.nearest_centre[:, None] == modes).to(fakes.features)
    counts = is_member.sum(0)
    histogram = counts / len(fakes.nearest_centre)
    variances = (is_member * fakes.squared_distance[:, None]).sum(0) / counts.clamp(min=1)
    variance_ratios = torch.where(
        counts >= MIN_FAKES_PER_MODE, variances / reals.mode_variances.clamp(min=1e-12), torch.nan
    )
    self_distance = _mean_pair_distance(fakes.features)
    shares = reals.mode_shares
    mixture = (histogram + shares) / 2
    fake_part = 2 * fakes.mean_distance.mean() - self_distance
    metrics = {
        "mode_histogram": histogram,
        "effective_modes": (_entropy(histogram) - _entropy(shares)).exp(),
        "missing_mass": (shares * (histogram < MISSED_SHARE * shares)).sum(),
        "js_divergence": _entropy(mixture) - (_entropy(histogram) + _entropy(shares)) / 2,
        # Without the dimension argument, nanmedian makes the host wait for the GPU.
        "within_mode_variance": variance_ratios.nanmedian(0).values,
        "precision": (fakes.neighbourhood_count > 0).float().mean(),
        "coverage": (fakes.newest_neighbour >= 0).float().mean(),
        "energy_distance": (fake_part - reals.self_distance) / reals.self_distance,
        "pair_distance": self_distance / reals.self_distance,
    }
    # A NaN sample would be counted in some mode. Minimum and maximum pass NaN on, and take a tenth
    # of the time of isfinite() on all features.
    extremes = torch.stack(torch.aminmax(fakes.features))
    invalid = torch.where(extremes.isfinite().all(), 0.0, torch.nan)
    return {name: value + invalid for name, value in metrics.items()}


def _mean_pair_distance(features: Tensor) -> Tensor:
    """Mean distance between two different rows of ``(n, f)``: the diagonal is not counted."""
    count = len(features)
    return torch.cdist(features, features).sum() / max(count * (count - 1), 1)


def _entropy(shares: Tensor) -> Tensor:
    """Entropy in nats; xlogy makes an empty mode contribute 0."""
    return -torch.xlogy(shares, shares).sum()
