"""Reference statistics of the real data: modes, neighbourhoods and real-vs-real baselines.

Each diversity metric of generated samples is divided by, or compared with, its value for fresh real
samples (the real-vs-real baseline). So no threshold depends on image size, class balance or sample
size: real samples that the reference has not seen have ratios of 1 on average.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from gandiag.monitoring.features import (
    Embedding,
    SampleFeatures,
    find_principal_directions,
    project,
)
from gandiag.monitoring.kept_modes import Views, fit_centres
from gandiag.monitoring.sample_metrics import (
    FakeStats,
    RealStats,
    compute_feature_metrics,
    max_abs_per_sample,
)

# Most k-means cells ("modes"): 3 for each of 10 classes. At 512 samples the number of effective
# modes of real draws is 0.97 +- 0.02 of the true one, so the baseline is nearly unbiased.
MAX_MODES = 32
# k of the k-nearest-neighbour radii for precision and coverage (Naeem et al. 2020).
NEIGHBOURS = 5
# Real samples from which modes and views are fitted: 60 for each of 32 modes.
MAX_REAL_SAMPLES = 2000
# Real samples whose neighbourhoods and distances are measured. Coverage changes little with more,
# and twice as many take 1 ms more at each evaluation of 512 samples.
MAX_NEIGHBOURHOODS = 1000
# Generated samples that are compared at a time by default.
SAMPLE_SIZE = 512
# Rows of a distance matrix in memory at a time: 256 x 2,000 float32 distances are 2 MB.
DISTANCE_ROWS = 256
# Real-vs-real draws behind each baseline; one draw takes 8 ms at 512 samples.
BASELINE_DRAWS = 100


@dataclass(frozen=True)
class Reference(RealStats):
    """Statistics of the real data, in a feature space of at most 51 dimensions.

    The features are the flattened samples, or the features of an `embedding`. Both are reduced to
    50 principal components and the distance from their subspace. `radii` are
    distances to the `NEIGHBOURS`-th neighbour.

    Attributes:
        sample_size: number of generated samples to compare at a time; the baselines hold at this
            size.
        pair_distance: mean distance between two real samples, flattened, in data units.
        max_abs: largest absolute value in the real data, in data units.
        mean: ``(E,)`` mean of the real samples, flattened or embedded.
        principal_directions: ``(E, d)`` principal directions; None for data of few dimensions.
        mean_energy_distance: squared energy distance, over `self_distance`, between the real
            samples and a single point at their mean: what total mode collapse scores. It is
            sqrt(2) - 1 for a Gaussian in any dimension. Other points are hardly nearer.
        baseline_mean: by metric, mean over real-vs-real draws of `sample_size`. ``turnover`` is the
            total variation distance between the mode histograms of two draws.
        baseline_sd: by metric, standard deviation over these draws.
        baseline_max: by metric, largest value over these draws.
        embedding: features in which the samples are compared, unscaled; None for flattened samples.
        views: other features and cells, in which lost kinds of samples show; None in the processes
            that do not measure.
    """

    sample_size: int
    pair_distance: float
    max_abs: float
    mean: Tensor
    principal_directions: Tensor | None
    mean_energy_distance: float
    baseline_mean: Mapping[str, float]
    baseline_sd: Mapping[str, float]
    baseline_max: Mapping[str, float]
    embedding: Embedding | None = None
    views: Views | None = None

    @classmethod
    def from_samples(
        cls,
        real: Tensor | SampleFeatures,
        held_out: Tensor | SampleFeatures,
        size: int = SAMPLE_SIZE,
        seed: int = 0,
        embedding: Embedding | None = None,
    ) -> Reference:
        """Build the reference, without drawing from a global random generator.

        Args:
            real: ``(N, *shape)`` samples or their features; the first `MAX_REAL_SAMPLES` of a
                shuffle are used.
            held_out: ``(M, *shape)`` real samples, disjoint from `real`, for the baselines.
            size: number of generated samples that will be compared at a time.
            seed: seed of the shuffle, the start of k-means and the draws of the baselines.
            embedding: maps ``(n, *shape)`` float32 samples to ``(n, ...)`` features on the same
                device; each row must depend on its own sample only.

        Raises:
            ValueError: the embedding does not return one row for each sample.
        """
        generator = torch.Generator().manual_seed(seed)
        count = len(real.flat if isinstance(real, SampleFeatures) else real)
        order = torch.randperm(count, generator=generator)[:MAX_REAL_SAMPLES]
        if isinstance(real, SampleFeatures):
            chosen = real.select(order)
        else:
            chosen = SampleFeatures.gather(real, order, embedding)
        pair_distance = _pair_distances(chosen.flat[:MAX_NEIGHBOURHOODS], 1)[0]
        max_abs = float(chosen.flat.abs().max())
        mean = chosen.features.mean(0)
        directions = find_principal_directions(chosen.features, seed)
        features = project(chosen.features, mean, directions)
        centres, mode_shares, mode_variances = _find_modes(features, seed)
        fitted, features = features, features[:MAX_NEIGHBOURHOODS]
        kth = min(NEIGHBOURS + 1, len(features))  # + 1: a sample is its own nearest neighbour
        self_distance, radii = _pair_distances(features, kth)
        to_mean = float(torch.linalg.vector_norm(features - features.mean(0), dim=1).mean())
        without_baseline = cls(
            sample_size=size,
            pair_distance=pair_distance,
            max_abs=max_abs,
            mean=mean,
            principal_directions=directions,
            features=features,
            centres=centres,
            mode_shares=mode_shares,
            mode_variances=mode_variances,
            radii=radii,
            self_distance=self_distance,
            # 2 E|x - m| - E|x - x'| - 0 over E|x - x'|, where the point m has no spread of its own
            mean_energy_distance=2 * to_mean / self_distance - 1 if self_distance else 0.0,
            baseline_mean={},
            baseline_sd={},
            baseline_max={},
            embedding=embedding,
        )
        if not isinstance(held_out, SampleFeatures):
            held_out = SampleFeatures.gather(held_out, torch.arange(len(held_out)), embedding)
        projected = without_baseline.embed(held_out)
        views = Views.fit(
            chosen.flat,
            fitted,
            chosen.shape if embedding is None else (),
            (centres, mode_shares),
            (held_out.flat, projected),
            size,
            seed,
        )
        return replace(without_baseline._with_baseline(projected, generator), views=views)

    def embed(self, samples: Tensor | SampleFeatures) -> Tensor:
        """Map samples ``(n, *shape)`` to the feature space, ``(n, f)``."""
        if not isinstance(samples, SampleFeatures):
            samples = SampleFeatures.from_samples(samples, self.embedding)
        return project(samples.features, self.mean, self.principal_directions)

    def compute_fake_stats(self, *batches: Tensor) -> FakeStats:
        """Compare batches of generated samples ``(n, *shape)`` with the real ones, oldest first.

        The batches are embedded one by one, so that each stays in the processor's cache.
        """
        features, max_abs, cells, on_data = [], [], [], []
        for batch in batches:
            samples = SampleFeatures.from_samples(batch, self.embedding)
            features.append(self.embed(samples))
            max_abs.append(max_abs_per_sample(samples.flat))
            if self.views is not None:
                found = self.views.assign(samples.flat, features[-1])
                cells.append(found[0])
                on_data.append(found[1])
        stats = FakeStats.from_features(self, torch.cat(features), torch.cat(max_abs))
        if self.views is None:
            return stats
        view_cells = torch.cat([stats.nearest_centre[:, None], torch.cat(cells)], 1)
        return replace(stats, view_cells=view_cells, on_data=torch.cat(on_data))

    def to_facts(self) -> dict[str, Any]:
        """The numbers that a detector needs to interpret metrics relative to this reference."""
        return {
            "real_pair_distance": self.pair_distance,
            "sample_size": self.sample_size,
            "mode_shares": [round(share, 6) for share in self.mode_shares.tolist()],
            "turnover_baseline": self.baseline_mean["turnover"],
            "mean_energy_distance": self.mean_energy_distance,
        }

    def _with_baseline(self, features: Tensor, generator: torch.Generator) -> Reference:
        """Measure draws of held-out real samples as if they were generated.

        With at least 2 x `sample_size` held-out samples, each draw is without replacement. Then the
        variance over draws is only 1 - size / N of that over independent samples (finite
        population correction, Cochran 1977, theorem 2.2), and the standard deviations are
        corrected for it. With fewer samples, the draws are with replacement, and of no more than
        there are: they cannot tell the distribution more exactly than the samples themselves.
        """
        count, size = len(features), self.sample_size
        without_replacement = count >= 2 * size
        correction = (1 - size / count) ** 0.5 if without_replacement else 1.0
        rows: list[Mapping[str, Tensor]] = []
        for _ in range(BASELINE_DRAWS):
            if without_replacement:
                chosen = torch.randperm(count, generator=generator)[:size]
            else:
                chosen = torch.randint(count, (min(size, count),), generator=generator)
            rows.append(compute_feature_metrics(self, features[chosen.to(features.device)]))
        scalars = [name for name, value in rows[0].items() if value.ndim == 0]
        columns = {name: torch.stack([row[name] for row in rows]) for name in scalars}
        histograms = torch.stack([row["mode_histogram"] for row in rows])
        columns["turnover"] = (histograms[1:] - histograms[:-1]).abs().sum(1) / 2 / correction
        return replace(
            self,
            baseline_mean={name: float(column.nanmean()) for name, column in columns.items()},
            baseline_sd={
                name: float(column.std()) / correction for name, column in columns.items()
            },
            baseline_max={name: float(column.max()) for name, column in columns.items()},
        )


def _find_modes(features: Tensor, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """K-means cells of ``(n, f)`` features: centres ``(K, f)``, shares and variances ``(K,)``."""
    centres = fit_centres(features, min(MAX_MODES, max(2, len(features) // 16)), seed)
    count = len(centres)
    distance, cell = torch.cdist(features, centres).min(1)
    members = torch.bincount(cell, minlength=count).to(features)
    squares = torch.zeros_like(members).index_add_(0, cell, distance.square())
    return centres, members / members.sum(), squares / members.clamp(min=1)


def _pair_distances(rows: Tensor, kth: int) -> tuple[float, Tensor]:
    """Mean distance between two rows, and each row's distance to its `kth` nearest row.

    A row is its own first nearest row. The distances are computed for a few rows at a time: all
    distances between 2,000 rows would take 16 MB, and sorting them as much again.
    """
    total, nearest = 0.0, []
    for part in torch.split(rows, DISTANCE_ROWS):
        distances = torch.cdist(part, rows)
        total += float(distances.sum(dtype=torch.float64))
        nearest.append(distances.kthvalue(kth, dim=1).values)
    return total / max(len(rows) * (len(rows) - 1), 1), torch.cat(nearest)
