"""Truths: what is known about the data of a training run, in closed form or by a classifier.

A truth measures fresh samples: the shares of the true modes, the variety within a mode, and the
distance from the data. It uses no k-means cells, reference statistics or detectors. The labels
depend on its numbers alone.
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

DIRECTIONS = 32  # Evenly spaced directions of the sliced distance in the plane.
TRUE_SAMPLES = 10_000  # True samples with which generated ones are compared.
CHUNK = 1000  # Images of a forward pass, so that memory stays small.
# Side of the squares of pixels that are averaged. A mean of 4 x 4 equal pixels is a quarter of
# their norm, so averaged images times 4 have the distances of the smooth images themselves.
POOL = 4
HIGH_CONFIDENCE = 0.9  # Largest class probability from which a sample counts as a clear digit.
MIN_SAMPLES = 50  # Samples of a mode from which its variety is estimated.
# A sample within this number of standard deviations of a mode is of high quality (Srivastava et
# al. 2017, VEEGAN).
HIGH_QUALITY_RADIUS = 3.0


class Truth(Protocol):
    """What the oracle knows about a data set."""

    @property
    def shares(self) -> Array:
        """``(K,)`` true mass of each mode, cell or class; the sum is 1."""
        ...

    def measure(self, samples: Tensor) -> dict[str, Any]:
        """Measure ``(n, *shape)`` finite samples.

        Returns:
            ``shares``: ``(K,)`` shares of the samples in each mode; ``variety``: variance within a
            mode divided by the true one, NaN if unknown; ``distance``: distance from the true
            distribution, 0 or more, without a unit; ``fidelity``: share of the samples of high
            quality, in [0, 1]; ``centre``: mean of the samples, in mean distances between two true
            samples.
        """
        ...

    def reduce(self, samples: Tensor) -> Array:
        """``(n, f)`` features of low dimension for a classifier of real and generated samples."""
        ...


@dataclass(frozen=True)
class Mixture:
    """Mixture of Gaussians of equal width around known centres.

    Attributes:
        centres: ``(K, d)`` centre of each Gaussian.
        sd: standard deviation of each Gaussian along every axis.
        shares: ``(K,)`` true mass of each Gaussian.
    """

    centres: Array
    sd: float
    shares: Array

    def sample(self, count: int, seed: int) -> Array:
        """Draw ``(count, d)`` true samples."""
        stream = np.random.default_rng(seed)
        owner = stream.choice(len(self.centres), count, p=self.shares)
        noise = stream.standard_normal((count, self.centres.shape[1]))
        return np.asarray(self.centres[owner] + self.sd * noise)

    def measure(self, samples: Tensor) -> dict[str, Any]:
        """See `Truth`; a sample belongs to the mode with the nearest centre."""
        points = self.reduce(samples)
        squared = ((points[:, None] - self.centres) ** 2).sum(-1)
        owner = squared.argmin(1)
        counts = np.bincount(owner, minlength=len(self.centres))
        true = self.sd**2 * points.shape[1]
        modes = np.flatnonzero(counts >= MIN_SAMPLES)
        variety = [points[owner == mode].var(0).sum() / true for mode in modes]
        fidelity = (squared.min(1) <= (HIGH_QUALITY_RADIUS * self.sd) ** 2).mean()
        # One seed for all measurements: the distance then changes only with the generated samples.
        true_samples = self.sample(TRUE_SAMPLES, 0)
        return _measure_points(points, counts, _median(variety), fidelity, true_samples)

    def reduce(self, samples: Tensor) -> Array:
        """``(n, d)`` the points themselves."""
        return np.asarray(samples.double().flatten(1).numpy())


@dataclass(frozen=True)
class Curve:
    """Sine curve: x is uniform over whole periods around 0, and y is sin(x) with Gaussian noise.

    Attributes:
        periods: number of periods; x lies within ``periods * pi`` of 0.
        sd: standard deviation of the noise along y.
        cells: number of cells of equal true mass along x, which take the place of modes.
    """

    periods: int
    sd: float
    cells: int = 20

    @property
    def shares(self) -> Array:
        """``(cells,)`` equal shares."""
        return np.full(self.cells, 1 / self.cells)

    def sample(self, count: int, seed: int) -> Array:
        """Draw ``(count, 2)`` true samples."""
        stream = np.random.default_rng(seed)
        x = stream.uniform(-1, 1, count) * self.periods * math.pi
        return np.stack([x, np.sin(x) + self.sd * stream.standard_normal(count)], 1)

    def measure(self, samples: Tensor) -> dict[str, Any]:
        """See `Truth`; a sample beyond an end of the curve belongs to the cell at that end."""
        points = self.reduce(samples)
        x, y = points.T
        along = (x / (self.periods * math.pi) + 1) / 2
        owner = np.clip(np.floor(along * self.cells), 0, self.cells - 1).astype(int)
        counts = np.bincount(owner, minlength=self.cells)
        is_near = np.abs(y - np.sin(x)) <= HIGH_QUALITY_RADIUS * self.sd
        fidelity = (is_near & (along >= 0) & (along <= 1)).mean()
        # A cell is a piece of the curve, not a mode with a width of its own: no variety.
        return _measure_points(points, counts, math.nan, fidelity, self.sample(TRUE_SAMPLES, 0))

    def reduce(self, samples: Tensor) -> Array:
        """``(n, 2)`` the points themselves."""
        return np.asarray(samples.double().flatten(1).numpy())


class Digits:
    """MNIST digits, classified by `OracleClassifier`.

    Args:
        images: ``(N, 1, 28, 28)`` training images of the run, in [-1, 1].
        labels: ``(N,)`` their digits.
    """

    def __init__(self, images: Tensor, labels: Tensor) -> None:
        self._classifier = OracleClassifier.pretrained()
        self.shares: Array = np.bincount(labels.numpy(), minlength=10) / len(labels)
        self._variances = _variance_by_class(images, labels)
        self._moments = _moments(self._features(images))
        self._trace = float(np.trace(self._moments[1]))
        flat = images.flatten(1)
        pairs = (flat[:1000] - flat[1000:2000]).norm(dim=1)
        self._mean_distance = float(pairs.mean())

    def measure(self, samples: Tensor) -> dict[str, Any]:
        """See `Truth`; the distance is a Frechet distance of features.

        It is the squared distance between the features of `OracleClassifier`, divided by the trace
        of the real features' covariance.
        """
        features = self._features(samples)
        confidence, digits = self._classifier.head(features).softmax(1).max(1)
        variety = _variance_by_class(samples, digits) / self._variances
        distance = frechet_distance(_moments(features), self._moments)
        return {
            "shares": np.bincount(digits.numpy(), minlength=10) / len(digits),
            "variety": _median(variety[np.isfinite(variety)]),
            "distance": distance / self._trace,
            "fidelity": float((confidence >= HIGH_CONFIDENCE).double().mean()),
            "centre": POOL * _average_pixels(samples).mean(0) / self._mean_distance,
        }

    def reduce(self, samples: Tensor) -> Array:
        """``(n, 49)`` images averaged to 7 x 7 pixels."""
        return _average_pixels(samples)

    def _features(self, images: Tensor) -> Tensor:
        with torch.no_grad():
            chunks = torch.split(images, CHUNK)
            return torch.cat([self._classifier.features(chunk) for chunk in chunks])


def sliced_wasserstein(points: Array, others: Array) -> float:
    """Sliced Wasserstein-1 distance between two sets of equally many points ``(n, d)``.

    In the plane it is the mean over `DIRECTIONS` directions of the mean distance between the sorted
    projections (Rabin et al. 2011). On the line it is exact. In more dimensions, the directions are
    the axes.

    >>> round(sliced_wasserstein(np.array([[0.0], [1.0]]), np.array([[2.0], [1.0]])), 6)
    1.0
    """
    directions = np.eye(points.shape[1])
    if points.shape[1] == 2:
        angles = np.arange(DIRECTIONS) * math.pi / DIRECTIONS
        directions = np.stack([np.cos(angles), np.sin(angles)], 1)
    # In one dimension, the optimal transport moves the i-th smallest point to the i-th smallest.
    gaps = np.sort(points @ directions.T, 0) - np.sort(others @ directions.T, 0)
    return float(np.abs(gaps).mean())


def frechet_distance(moments: tuple[Array, Array], others: tuple[Array, Array]) -> float:
    """Squared Frechet distance between two Gaussians (Heusel et al. 2017, eq. 6).

    Args:
        moments: mean ``(d,)`` and covariance ``(d, d)`` of one Gaussian.
        others: mean and covariance of the other.

    >>> plane = np.eye(2)
    >>> round(frechet_distance((np.zeros(2), plane), (np.array([1.0, 0.0]), 4 * plane)), 6)
    3.0
    """
    (mean, covariance), (other_mean, other_covariance) = moments, others
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.clip(values, 0, None)) @ vectors.T
    # tr (A B)^(1/2) = tr (A^(1/2) B A^(1/2))^(1/2). The right side is the root of a symmetric
    # matrix, so a singular covariance (features that are always 0) causes no problem.
    eigenvalues = np.linalg.eigvalsh(root @ other_covariance @ root)
    common = np.sqrt(np.clip(eigenvalues, 0, None)).sum()
    gap = ((mean - other_mean) ** 2).sum()
    return float(max(gap + np.trace(covariance) + np.trace(other_covariance) - 2 * common, 0.0))


def _measure_points(
    points: Array, counts: NDArray[np.int64], variety: float, fidelity: float, true: Array
) -> dict[str, Any]:
    # Pairs from two halves: no pair occurs twice, and no sample is paired with itself.
    half = len(true) // 2
    mean_distance = float(np.linalg.norm(true[:half] - true[half:], axis=1).mean())
    return {
        "shares": counts / counts.sum(),
        "variety": variety,
        "distance": sliced_wasserstein(points, true[: len(points)]) / mean_distance,
        "fidelity": float(fidelity),
        "centre": points.mean(0) / mean_distance,
    }


def _average_pixels(images: Tensor) -> Array:
    return np.asarray(avg_pool2d(images, POOL).flatten(1).double().numpy())


def _moments(features: Tensor) -> tuple[Array, Array]:
    rows = features.double().numpy()
    return rows.mean(0), np.cov(rows.T)


def _median(values: Any) -> float:
    return float(np.median(values)) if len(values) else math.nan


def _variance_by_class(images: Tensor, labels: Tensor) -> Array:
    """Summed variance of the pixels within each class; NaN below `MIN_SAMPLES` images."""
    flat = images.flatten(1)
    classes = [flat[labels == digit] for digit in range(10)]
    return np.array(
        [float(part.var(0).sum()) if len(part) >= MIN_SAMPLES else math.nan for part in classes]
    )
