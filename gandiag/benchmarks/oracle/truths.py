"""What is true of the data of a game, in closed form or by the eye of a classifier of its own.

A truth looks at fresh samples and returns numbers: how they are shared among the true modes, how
much they vary within one, how far they are from the data. It knows nothing of k-means cells,
references or detectors; labels are made of its numbers and of nothing else.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import avg_pool2d

from gandiag.benchmarks.oracle.digits import OracleClassifier

Array = NDArray[np.float64]

DIRECTIONS = 32  # of the sliced distance in the plane, evenly spaced
DRAWN = 10_000  # true samples that the fresh ones are compared with
PART = 1000  # images a forward pass, so that memory stays small
POOL = 4  # pixels a side that are averaged; times 4, distances of smooth images stay as they are
SURE = 0.9  # largest class probability from which a sample counts as a digit
ENOUGH = 50  # samples of a class from which their variety is read
NEAR = 3.0  # standard deviations within which a sample is of high quality (Srivastava et al. 2017)


class Truth(Protocol):
    """What the oracle knows of a data set."""

    @property
    def shares(self) -> Array:
        """``(K,)`` true mass of each mode, cell or class."""
        ...

    def look(self, samples: Tensor) -> dict[str, Any]:
        """Judge ``(n, *shape)`` finite samples.

        Returns:
            ``shares``, ``(K,)``: the samples' own; ``variety``: squared spread within a mode over
            the true one, NaN where unknown; ``distance``: from the truth, 0 or more, free of units;
            ``fidelity``: share of the samples of high quality; ``centre``: their mean in units of
            the mean distance between two true samples.
        """
        ...

    def plain(self, samples: Tensor) -> Array:
        """``(n, f)`` numbers of few dimensions, for a classifier that is trained afresh."""
        ...


@dataclass(frozen=True)
class Mixture:
    """Equally wide Gaussians around known centres, one or more, in one or more dimensions."""

    centres: Array  # (K, d)
    sd: float  # of each along every axis
    shares: Array  # (K,) true mass

    def drawn(self, count: int, seed: int) -> Array:
        """``(count, d)`` true samples."""
        stream = np.random.default_rng(seed)
        owner = stream.choice(len(self.centres), count, p=self.shares)
        noise = stream.standard_normal((count, self.centres.shape[1]))
        return np.asarray(self.centres[owner] + self.sd * noise)

    def look(self, samples: Tensor) -> dict[str, Any]:
        """See `Truth`; a mode's samples are those nearest to its centre."""
        points = self.plain(samples)
        squared = ((points[:, None] - self.centres) ** 2).sum(-1)
        owner = squared.argmin(1)
        counts = np.bincount(owner, minlength=len(self.centres))
        true = self.sd**2 * points.shape[1]
        variety = [points[owner == k].var(0).sum() / true for k in np.flatnonzero(counts >= ENOUGH)]
        near = (squared.min(1) <= (NEAR * self.sd) ** 2).mean()
        return _seen(points, counts, _median(variety), near, self.drawn(DRAWN, 0))

    def plain(self, samples: Tensor) -> Array:
        """The points themselves."""
        return np.asarray(samples.double().flatten(1).numpy())


@dataclass(frozen=True)
class Curve:
    """A sine: x uniform over whole periods around 0, ``y = sin(x)`` with Gaussian noise."""

    periods: int  # x lies within periods * pi of 0
    sd: float  # of the noise along y
    cells: int = 20  # of equal true mass along x

    @property
    def shares(self) -> Array:
        """Equal."""
        return np.full(self.cells, 1 / self.cells)

    def drawn(self, count: int, seed: int) -> Array:
        """``(count, 2)`` true samples."""
        stream = np.random.default_rng(seed)
        x = stream.uniform(-1, 1, count) * self.periods * math.pi
        return np.stack([x, np.sin(x) + self.sd * stream.standard_normal(count)], 1)

    def look(self, samples: Tensor) -> dict[str, Any]:
        """See `Truth`; a sample beyond an end belongs to the cell at that end."""
        points = self.plain(samples)
        x, y = points.T
        along = (x / (self.periods * math.pi) + 1) / 2
        owner = np.clip(np.floor(along * self.cells), 0, self.cells - 1).astype(int)
        counts = np.bincount(owner, minlength=self.cells)
        off = np.abs(y - np.sin(x))
        near = ((off <= NEAR * self.sd) & (along >= 0) & (along <= 1)).mean()
        return _seen(points, counts, math.nan, near, self.drawn(DRAWN, 0))

    def plain(self, samples: Tensor) -> Array:
        """The points themselves."""
        return np.asarray(samples.double().flatten(1).numpy())


class Digits:
    """MNIST digits, told apart by `OracleClassifier`.

    Args:
        images: ``(N, 1, 28, 28)`` what the game is played with.
        labels: ``(N,)`` their digits.
    """

    def __init__(self, images: Tensor, labels: Tensor) -> None:
        self._eye = OracleClassifier.pretrained()
        self.shares: Array = np.bincount(labels.numpy(), minlength=10) / len(labels)
        self._spread = _spread_by_class(images, labels)
        self._moments = _moments(self._features(images))
        self._size = float(np.trace(self._moments[1]))
        flat = images.flatten(1)
        pairs = (flat[:1000] - flat[1000:2000]).norm(dim=1)
        self._scale = float(pairs.mean())

    def look(self, samples: Tensor) -> dict[str, Any]:
        """See `Truth`; the distance is Frechet's between the classifier's features, over the trace
        of the real features' covariance."""  # noqa: D205, D209
        features = self._features(samples)
        sure, made = self._eye.head(features).softmax(1).max(1)
        spread = _spread_by_class(samples, made) / self._spread
        distance = frechet(_moments(features), self._moments)
        return {
            "shares": np.bincount(made.numpy(), minlength=10) / len(made),
            "variety": _median(spread[np.isfinite(spread)]),
            "distance": distance / self._size,
            "fidelity": float((sure >= SURE).double().mean()),
            "centre": POOL * _coarse(samples).mean(0) / self._scale,
        }

    def plain(self, samples: Tensor) -> Array:
        """Images averaged down to 7 by 7."""
        return _coarse(samples)

    def _features(self, images: Tensor) -> Tensor:
        with torch.no_grad():
            return torch.cat([self._eye.features(part) for part in torch.split(images, PART)])


def sliced(one: Array, other: Array) -> float:
    """Sliced Wasserstein-1 distance of two sets of equally many points.

    In the plane it is the mean over `DIRECTIONS` directions of the distance between the sorted
    projections (Rabin et al. 2011); on the line it is exact. Other dimensions take their axes.

    >>> round(sliced(np.array([[0.0], [1.0]]), np.array([[2.0], [1.0]])), 6)
    1.0
    """
    directions = np.eye(one.shape[1])
    if one.shape[1] == 2:
        angles = np.arange(DIRECTIONS) * math.pi / DIRECTIONS
        directions = np.stack([np.cos(angles), np.sin(angles)], 1)
    gaps = np.sort(one @ directions.T, 0) - np.sort(other @ directions.T, 0)
    return float(np.abs(gaps).mean())


def frechet(one: tuple[Array, Array], other: tuple[Array, Array]) -> float:
    """Squared Frechet distance of two Gaussians, each a mean and a covariance (Heusel et al. 2017).

    >>> plane = np.eye(2)
    >>> round(frechet((np.zeros(2), plane), (np.array([1.0, 0.0]), 4 * plane)), 6)
    3.0
    """
    (mean, covariance), (there, spread) = one, other
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.clip(values, 0, None)) @ vectors.T
    # tr (A B)^(1/2) = tr (A^(1/2) B A^(1/2))^(1/2), which is symmetric: units that are always 0 are
    # no obstacle to it
    common = np.sqrt(np.clip(np.linalg.eigvalsh(root @ spread @ root), 0, None)).sum()
    gap = ((mean - there) ** 2).sum()
    return float(max(gap + np.trace(covariance) + np.trace(spread) - 2 * common, 0.0))


def _seen(
    points: Array, counts: NDArray[np.int64], variety: float, near: float, true: Array
) -> dict[str, Any]:
    half = len(true) // 2
    scale = float(np.linalg.norm(true[:half] - true[half:], axis=1).mean())
    return {
        "shares": counts / counts.sum(),
        "variety": variety,
        "distance": sliced(points, true[: len(points)]) / scale,
        "fidelity": float(near),
        "centre": points.mean(0) / scale,
    }


def _coarse(images: Tensor) -> Array:
    return np.asarray(avg_pool2d(images, POOL).flatten(1).double().numpy())


def _moments(features: Tensor) -> tuple[Array, Array]:
    rows = features.double().numpy()
    return rows.mean(0), np.cov(rows.T)


def _median(values: Any) -> float:
    return float(np.median(values)) if len(values) else math.nan


def _spread_by_class(images: Tensor, labels: Tensor) -> Array:
    """Summed variance of the pixels within each class; NaN below `ENOUGH` images."""
    flat = images.flatten(1)
    found = [flat[labels == digit] for digit in range(10)]
    return np.array(
        [float(part.var(0).sum()) if len(part) >= ENOUGH else math.nan for part in found]
    )
