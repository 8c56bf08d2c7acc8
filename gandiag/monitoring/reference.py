"""What the real data say about themselves: scale, bins, neighbours, and nulls at a sample size.

Every diversity number of the generator is read against these, so that no threshold depends on
image size, class balance or sample size: real samples that the reference has not seen score about
1 on each ratio.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from torch import Tensor

from gandiag.monitoring.features import Embedding, Rows
from gandiag.monitoring.sample_metrics import FakeStats, RealStats, compare_features, largest_of

DIMENSIONS = 50  # principal components kept of an image; NDB and PRDC were run in such spaces
BINS = 32  # k-means cells; 3 per class for 10 classes; at n=512 the null of neff is .97 +- .02
NEIGHBOURS = 5  # k of precision and coverage (Naeem et al. 2020)
REALS = 2000  # real samples kept; coverage is stable from 1,000
SIZE = 512  # fakes compared at a time, unless told otherwise
ROWS = 256  # whose distances to all are held at a time
DRAWS = 100  # real-versus-real resamples behind each null; 8 ms each at n=512


@dataclass(frozen=True)
class Reference(RealStats):
    """The real data's own statistics, in a feature space of at most ``DIMENSIONS + 1`` dimensions.

    The space is made of the flattened samples, or of what an `embedding` makes of them. `radii` are
    distances to the `NEIGHBOURS`-th neighbour.

    Attributes:
        size: how many fakes a diversity probe should bring; the nulls hold at this size.
        scale: mean distance between two real samples, flattened, in data units.
        extent: largest absolute value in the real data, flattened.
        mean: ``(E,)`` mean of the real samples, flattened or embedded.
        basis: ``(E, d)`` principal directions, None for data of few dimensions.
        middle: squared energy distance to the real samples, over `self_distance`, of one point at
            their mean; 2^0.5 - 1 for a Gaussian of any dimension. Other points are hardly nearer.
        null: by statistic, mean over real-versus-real draws at `size`; ``turnover`` is the total
            variation between the histograms of two draws.
        null_spread: by statistic, standard deviation over those draws.
        null_high: by statistic, largest value over those draws.
        embedding: what samples are compared in, other than themselves; not standardised.
    """

    size: int
    pair_distance: float
    extent: float
    mean: Tensor
    basis: Tensor | None
    mean_energy_distance: float
    baseline_mean: Mapping[str, float]
    baseline_sd: Mapping[str, float]
    baseline_max: Mapping[str, float]
    embedding: Embedding | None = None

    @classmethod
    def of(
        cls,
        real: Tensor | Rows,
        held_out: Tensor | Rows,
        size: int = SIZE,
        seed: int = 0,
        embedding: Embedding | None = None,
    ) -> Reference:
        """Build the reference; draws nothing from a global generator.

        Args:
            real: ``(N, *shape)``, or the rows made of them; the first `REALS` of a fixed shuffle
                are kept.
            held_out: ``(M, *shape)`` real samples, disjoint from `real`, for the nulls.
            size: number of fakes that will be measured at a time.
            seed: of the shuffle, the k-means start and the null's draws.
            embedding: features to compare the samples in, as they are: it gives ``(n, ...)`` for
                ``(n, *shape)`` float32 samples on their device, each row from its sample alone.

        Raises:
            ValueError: the embedding does not give one row for each sample.
        """
        draw = torch.Generator().manual_seed(seed)
        count = len(real.flat if isinstance(real, Rows) else real)
        order = torch.randperm(count, generator=draw)[:REALS]
        rows = real.at(order) if isinstance(real, Rows) else _rows(real, order, embedding)
        scale, extent = _among(rows.flat, 1)[0], float(rows.flat.abs().max())
        mean = rows.features.mean(0)
        basis = _principal_directions(rows.features, seed)
        features = _project(rows.features, mean, basis)
        del rows  # 6 MB of digits
        distinct = len(torch.unique(features, dim=0))  # k-means cannot make more cells than points
        bins = min(BINS, max(2, len(features) // 16), distinct)
        means = KMeans(bins, n_init=1, random_state=seed).fit(features.cpu().numpy())
        centres = torch.from_numpy(means.cluster_centers_).to(features)
        nearest, owner = torch.cdist(features, centres).min(1)
        counts = torch.bincount(owner, minlength=bins).to(features)
        spread = torch.zeros_like(counts).index_add_(0, owner, nearest.square())
        kth = min(NEIGHBOURS + 1, len(features))  # + 1: a sample is its own nearest neighbour
        self_distance, radii = _among(features, kth)
        from_middle = float(torch.linalg.vector_norm(features - features.mean(0), dim=1).mean())
        bare = cls(
            size=size,
            pair_distance=scale,
            extent=extent,
            mean=mean,
            basis=basis,
            features=features,
            centres=centres,
            shares=counts / counts.sum(),
            spread=spread / counts.clamp(min=1),
            radii=radii,
            self_distance=self_distance,
            mean_energy_distance=2 * from_middle / self_distance - 1 if self_distance else 0.0,
            baseline_mean={},
            baseline_sd={},
            baseline_max={},
            embedding=embedding,
        )
        return bare._with_baseline(held_out, draw)

    def embed(self, samples: Tensor | Rows) -> Tensor:
        """Samples ``(n, *shape)`` in feature space, ``(n, f)``."""
        rows = samples if isinstance(samples, Rows) else Rows.of(samples, self.embedding)
        return _project(rows.features, self.mean, self.basis)

    def fake_stats(self, *batches: Tensor) -> FakeStats:
        """Samples ``(n, *shape)`` among the real ones, batch by batch: a batch stays in a cache."""
        features, largest = [], []
        for batch in batches:
            rows = Rows.of(batch, self.embedding)
            features.append(self.embed(rows))
            largest.append(largest_of(rows.flat))
        return FakeStats.of(self, torch.cat(features), torch.cat(largest))

    def facts(self) -> dict[str, Any]:
        """What a detector must know of the reference to read what is measured against it."""
        return {
            "real_pair_distance": self.pair_distance,
            "sample_size": self.size,
            "mode_shares": [round(share, 6) for share in self.shares.tolist()],
            "turnover_baseline": self.baseline_mean["turnover"],
            "mean_energy_distance": self.mean_energy_distance,
        }

    def _with_baseline(self, held_out: Tensor | Rows, draw: torch.Generator) -> Reference:
        """Measure draws of held-out samples as if they were fakes.

        Drawn without replacement from N, their variance is 1 - size / N of independent draws'
        (Cochran 1977, theorem 2.2); the spreads are corrected for that. Below 2 x `size` held-out
        samples they are drawn with replacement.
        """
        features = self.embed(held_out)
        count, size = len(features), self.size
        distinct = count >= 2 * size
        shrunk = (1 - size / count) ** 0.5 if distinct else 1.0
        rows: list[Mapping[str, Tensor]] = []
        for _ in range(DRAWS):
            if distinct:
                chosen = torch.randperm(count, generator=draw)[:size]
            else:
                chosen = torch.randint(count, (size,), generator=draw)
            rows.append(compare_features(self, features[chosen.to(features.device)]))
        scalars = [name for name, value in rows[0].items() if value.ndim == 0]
        columns = {name: torch.stack([row[name] for row in rows]) for name in scalars}
        bins = torch.stack([row["mode_histogram"] for row in rows])
        columns["turnover"] = (bins[1:] - bins[:-1]).abs().sum(1) / 2 / shrunk
        return replace(
            self,
            baseline_mean={name: float(column.nanmean()) for name, column in columns.items()},
            baseline_sd={name: float(column.std()) / shrunk for name, column in columns.items()},
            baseline_max={name: float(column.max()) for name, column in columns.items()},
        )


def _rows(samples: Tensor, order: Tensor, embedding: Embedding | None) -> Rows:
    """Rows of the chosen samples only: to flatten large images takes time."""
    return Rows.of(samples[order.to(samples.device)], embedding)


def _principal_directions(flat: Tensor, seed: int) -> Tensor | None:
    if flat.shape[1] <= DIMENSIONS or bool((flat == flat[0]).all()):  # one point has no directions
        return None
    count = min(DIMENSIONS, len(flat) - 1)
    fitted = PCA(count, svd_solver="randomized", random_state=seed).fit(flat.cpu().numpy())
    return torch.from_numpy(fitted.components_.T.copy()).to(flat)


def _project(flat: Tensor, mean: Tensor, basis: Tensor | None) -> Tensor:
    """Principal components, and how far each sample lies from their space.

    Without that last coordinate, noise outside the space would be invisible.
    """
    centred = flat - mean
    if basis is None:
        return centred
    inside = centred @ basis
    lengths = torch.linalg.vector_norm(centred, dim=1)  # squares of all pixels take 1.6 MB more
    outside = (lengths.square() - inside.square().sum(1)).clamp(min=0).sqrt()
    return torch.cat([inside, outside[:, None]], 1)


def _among(rows: Tensor, kth: int) -> tuple[float, Tensor]:
    """Mean distance between two rows, and each row's to its `kth` nearest, itself the first.

    A few rows at a time: the distances of 2,000 to each other would take 16 MB, and their order
    as much again.
    """
    whole, nearest = 0.0, []
    for part in torch.split(rows, ROWS):
        distances = torch.cdist(part, rows)
        whole += float(distances.sum(dtype=torch.float64))
        nearest.append(distances.kthvalue(kth, dim=1).values)
    return whole / max(len(rows) * (len(rows) - 1), 1), torch.cat(nearest)
