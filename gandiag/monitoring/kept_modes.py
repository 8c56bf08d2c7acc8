"""How many kinds of the data are kept, in several views of the samples at once.

A view consists of features and of k-means cells of the real samples. Kinds that are lost empty some
cells, but only in features that tell the kinds apart, and only in cells that are no larger than a
kind. No single view does for all data. So the view with the fewest modes counts, and a permutation
test says how often real samples would have as few in any view.
"""

from __future__ import annotations

import functools
import itertools
import warnings
from dataclasses import dataclass, replace

import torch
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor

from gandiag.monitoring.features import find_principal_directions, project
from gandiag.monitoring.sample_metrics import MISSED_SHARE
from gandiag.monitoring.structure import Transform, find_transforms

# Cells of a view at most. With 512 samples, 5 are expected in each, so an empty cell is no chance
# (P = 0.005); half of 100 modes of a plane still empties cells.
MAX_CELLS = 96
# Real samples behind each cell at least, so that its share is known within a quarter.
SAMPLES_PER_CELL = 16
# Share of the real samples from which cells are fitted. The others say how far from the centre of
# its cell a sample may be: samples that were fitted are nearer than new ones.
FITTED_SHARE = 0.75
# A sample is on the data where it is no farther from the centre of its cell than this share of real
# samples, in units of the cell's mean distance.
INSIDE_SHARE = 0.9
# A view counts only where this share of the samples is on the data, as a share of `INSIDE_SHARE`.
# Blurred or noisy samples have nearest cells too, but those do not tell which kind they are.
LEAST_INSIDE = 0.8
# Draws behind the baselines, and relabelings of the permutation test. The least p-value is
# 1 / (99 + 1) = 0.01, and 99 relabelings take 0.3 ms.
DRAWS = 99


def fit_centres(features: Tensor, count: int, seed: int) -> Tensor:
    """Centres ``(K, f)`` of k-means cells of ``(n, f)`` features, at most `count`."""
    distinct = len(torch.unique(features, dim=0))  # k-means cannot make more cells than points
    clusters = KMeans(min(count, distinct), n_init=1, random_state=seed)
    with warnings.catch_warnings():
        # Points that differ by rounding alone share a cell, and others stay empty: no harm.
        warnings.simplefilter("ignore", ConvergenceWarning)
        clusters.fit(features.cpu().numpy())
    return torch.from_numpy(clusters.cluster_centers_).to(features)


@dataclass(frozen=True)
class View:
    """Features of samples, and cells of the real samples in them.

    Attributes:
        transform: features of flattened samples; None for the features of the reference.
        mean: ``(E,)`` mean of the transformed real samples.
        directions: ``(E, d)`` principal directions of these; None for few dimensions.
        centres: ``(K, f)`` centres of the cells.
        shares: ``(K,)`` share of the real samples in each cell.
        limits: ``(K,)`` distance from a centre up to which a sample is on the data.
    """

    transform: Transform | None
    mean: Tensor
    directions: Tensor | None
    centres: Tensor
    shares: Tensor
    limits: Tensor

    def assign(self, flat: Tensor, features: Tensor) -> tuple[Tensor, Tensor]:
        """Assign samples to cells.

        Args:
            flat: ``(m, D)`` flattened samples.
            features: ``(m, f)`` their features in the reference.

        Returns:
            The index of the cell of each sample, and whether the sample is on the data, ``(m,)``.
        """
        if self.transform is not None:
            features = project(self.transform(flat), self.mean, self.directions)
        distance, cell = torch.cdist(features, self.centres).min(1)
        return cell, distance <= self.limits[cell]


def _fit_view(
    flat: Tensor, features: Tensor, transform: Transform | None, seed: int
) -> View | None:
    """Fit cells to shuffled real samples; None if there are too few for two cells."""
    mean, directions = features.mean(0), None
    if transform is not None:
        features = transform(flat)
        mean = features.mean(0)
        directions = find_principal_directions(features, seed)
        features = project(features, mean, directions)
    fitted = int(FITTED_SHARE * len(features))
    count = min(MAX_CELLS, fitted // SAMPLES_PER_CELL)
    if count < 2:
        return None
    centres = fit_centres(features[:fitted], count, seed)
    count = len(centres)
    distance, cell = torch.cdist(features, centres).min(1)
    members = torch.bincount(cell, minlength=count).to(features)
    spreads = torch.zeros_like(members).index_add_(0, cell, distance) / members.clamp(min=1)
    # Cells of equal samples have no spread of their own; a generator of them has a little.
    spreads = spreads.clamp(min=0.1 * float(spreads.mean()))
    relative = (distance / spreads[cell])[fitted:]
    limit = torch.quantile(relative, INSIDE_SHARE)
    return View(transform, mean, directions, centres, members / members.sum(), limit * spreads)


@dataclass(frozen=True)
class Views:
    """All views of a reference, and real samples to compare with.

    Attributes:
        modes: ``(K,)`` shares of the modes of the reference. They are the first view, which counts
            wherever the samples are.
        views: the other views.
        relabelled: ``(DRAWS, C)`` part of the held-out real samples in the relabelings of the
            permutation test: shares of samples with each indicator, see `_indicators`.
        weights: ``(DRAWS, m)`` weights of `m` generated samples in these relabelings.
        modes_baseline: mean effective number of modes of real draws, ``(1 + V,)``.
        missing_baseline: mean missing mass of real draws, ``(1 + V,)``.
        kept_baseline: mean of the result of real draws.
    """

    modes: Tensor
    views: tuple[View, ...]
    relabelled: Tensor
    weights: Tensor
    modes_baseline: Tensor
    missing_baseline: Tensor
    kept_baseline: float

    @classmethod
    def fit(
        cls,
        flat: Tensor,
        features: Tensor,
        shape: tuple[int, ...],
        coarse: tuple[Tensor, Tensor],
        held_out: tuple[Tensor, Tensor],
        size: int,
        seed: int,
    ) -> Views:
        """Fit the views to real samples; no global random generator is used.

        Nothing but the held-out cells depends on the held-out samples, so that these and perfect
        generated samples are exchangeable.

        Args:
            flat: ``(n, D)`` shuffled real samples.
            features: ``(n, f)`` their features in the reference.
            shape: shape of one sample; empty if unknown.
            coarse: centres ``(K, f)`` and shares ``(K,)`` of the modes of the reference.
            held_out: flattened held-out samples and their features in the reference.
            size: number of generated samples that will be compared at a time, exactly.
            seed: seed of k-means and of the draws.
        """
        transforms = find_transforms(flat, shape) if shape else []
        found = [_fit_view(flat, features, t, seed) for t in (None, *transforms)]
        views = tuple(view for view in found if view is not None)
        zeros = features.new_zeros(1 + len(views))
        fitted = cls(coarse[1], views, zeros, zeros, zeros + 1, zeros, 1.0)
        cells, inside = fitted._assign_all(flat, features, coarse[0])
        draw = torch.Generator().manual_seed(seed)
        rows = [torch.randint(len(flat), (size,), generator=draw) for _ in range(DRAWS)]
        indicators = fitted._indicators(cells, inside)
        shares = torch.stack([indicators[r.to(indicators.device)].mean(0) for r in rows])
        modes, missing, _ = fitted._summarise(shares)
        real = fitted._indicators(*fitted._assign_all(*held_out, coarse[0]))
        weights = _draw_weights(len(real), size, draw).to(real)
        fitted = replace(
            fitted,
            relabelled=weights[:, : len(real)] @ real,
            weights=weights[:, len(real) :],
            modes_baseline=modes.mean(0),
            missing_baseline=missing.mean(0),
        )
        return replace(fitted, kept_baseline=float(fitted._find_kept(shares).mean()))

    def assign(self, flat: Tensor, features: Tensor) -> tuple[Tensor, Tensor]:
        """Cells of samples in each view, and whether they are on the data, ``(m, V)`` each."""
        if not self.views:
            empty = flat.new_empty(len(flat), 0)
            return empty.long(), empty.bool()
        found = [view.assign(flat, features) for view in self.views]
        return torch.stack([cell for cell, _ in found], 1), torch.stack([i for _, i in found], 1)

    def _assign_all(self, flat: Tensor, features: Tensor, centres: Tensor) -> tuple[Tensor, Tensor]:
        """The same, with the modes of the reference in the first column of the cells."""
        cells, inside = self.assign(flat, features)
        return torch.cat([torch.cdist(features, centres).argmin(1)[:, None], cells], 1), inside

    def measure(self, cells: Tensor, inside: Tensor) -> dict[str, Tensor]:
        """Measure which modes are kept.

        Args:
            cells: ``(m, 1 + V)`` modes of the generated samples, and their cells in each view.
            inside: ``(m, V)`` whether the samples are on the data in each view.

        Returns:
            0-dim tensors.

            - ``kept_modes``: the fewest modes in any view that counts, over the mean of real draws.
              In each view it is the effective number of modes, or 1 - missing mass if that is more,
              both relative to real draws: uneven cells are no lost modes.
            - ``kept_modes_p``: p-value of a permutation test against held-out real samples. For
              fresh real samples it is at most p with probability p, for any data and any sample
              size (Phipson & Smyth 2010).
        """
        indicators = self._indicators(cells, inside)
        kept = self._find_kept(indicators.mean(0))
        relabelled = self._find_kept(self.relabelled + self.weights @ indicators)
        # Equal counts are ties, although rounding differs between a mean and a product.
        p = (1 + (relabelled <= kept * (1 + 1e-5)).sum()) / (DRAWS + 1)
        return {"kept_modes": kept / self.kept_baseline, "kept_modes_p": p}

    def _indicators(self, cells: Tensor, inside: Tensor) -> Tensor:
        """Membership of samples in the cells of all views, and whether they are on the data."""
        members = cells.new_zeros((len(cells), self._starts[-1]), dtype=torch.float32)
        members.scatter_(1, cells + self._offsets, 1.0)
        return torch.cat([members, inside], 1)

    @functools.cached_property
    def _shares(self) -> list[Tensor]:
        return [self.modes, *(view.shares for view in self.views)]

    @functools.cached_property
    def _starts(self) -> list[int]:
        """Index of the first cell of each view among the cells of all, and the number of cells."""
        return list(itertools.accumulate(map(len, self._shares), initial=0))

    @functools.cached_property
    def _offsets(self) -> Tensor:
        return torch.tensor(self._starts[:-1], device=self.modes.device)

    def _summarise(self, shares: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Effective modes, missing mass and share on the data, ``(..., V)`` each.

        Args:
            shares: ``(..., C)`` shares of samples with each indicator.
        """
        modes, missing = [], []
        for start, real in zip(self._starts, self._shares, strict=False):
            found = shares[..., start : start + len(real)]
            entropy = torch.xlogy(real, real).sum() - torch.xlogy(found, found).sum(-1)
            modes.append(entropy.exp())
            missing.append((real * (found < MISSED_SHARE * real)).sum(-1))
        return torch.stack(modes, -1), torch.stack(missing, -1), shares[..., self._starts[-1] :]

    def _find_kept(self, shares: Tensor) -> Tensor:
        """The fewest modes in any view that counts, ``(...)``, of shares ``(..., C)``."""
        modes, missing, inside = self._summarise(shares)
        kept = torch.maximum(modes / self.modes_baseline, 1 - (missing - self.missing_baseline))
        counts = inside >= LEAST_INSIDE * INSIDE_SHARE
        in_views = torch.where(counts, kept[..., 1:], torch.inf)
        return torch.cat([kept[..., :1], in_views], -1).amin(-1)


def _draw_weights(held_out: int, size: int, draw: torch.Generator) -> Tensor:
    """Rows with `size` entries of 1 / size each among ``held_out + size`` samples."""
    chosen = torch.rand(DRAWS, held_out + size, generator=draw).argsort(1) < size
    return chosen.float() / size
