"""How good samples are, measured the same way for every arm: distance, coverage, class balance.

These are not the detectors' signals: fresh samples are drawn for them, more of them, and set
beside real ones that no player has seen.
"""

from __future__ import annotations

import functools
import json
import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from sklearn.decomposition import PCA
from torch import Tensor

from gandiag.datasets.data import Data
from gandiag.models.gan import GAN
from gandiag.monitoring.features import flatten_samples
from gandiag.monitoring.mnist_classifier import MnistClassifier
from gandiag.monitoring.side_effects import without_side_effects
from gandiag.plugins import registry as plugins
from gandiag.scenario.schema import Choice

SAMPLES = 2000  # fresh ones a look; the distances' bias at this size is the same for every arm
FORWARD_SIZE = 500  # samples a forward pass
NEIGHBOURS = 5  # k of coverage (Naeem et al. 2020)
DIMENSIONS = 50  # principal components of images without a classifier of their own


class QualityScores(NamedTuple):
    """Of fresh samples.

    Attributes:
        distance: to real samples, see `Yardstick.name`; 0 is best, infinite where a sample is not
            finite.
        coverage: share of the real samples with a fake in their neighbourhood, [0, 1].
        balance: 1 less the total variation between the classes' shares among samples and real
            ones, [0, 1]; NaN for data without classes.
    """

    distance: float
    coverage: float
    balance: float


@dataclass(frozen=True)
class SampleQuality:
    """Real samples that no player has seen, ready to set fakes beside them.

    Attributes:
        name: of the distance.
        features: ``(n, f)`` float32 of the real samples.
        radii: ``(n,)`` distance of each to its `NEIGHBOURS`-th neighbour among them.
        labels: ``(n,)`` int64 class of each, or None.
        classifier: makes features and classes of MNIST's digits; None for other data.
        components: makes features of other images; None for points, which are their own.
    """

    name: str
    features: Tensor
    radii: Tensor
    labels: Tensor | None
    classifier: MnistClassifier | None = None
    components: PCA | None = None

    @classmethod
    def from_data(cls, data: Data, digits: bool = False) -> SampleQuality:
        """Make one of held-out samples; draws nothing from a global generator.

        Args:
            data: what is played with.
            digits: whether they are MNIST's.
        """
        real = data.held_out[:SAMPLES]
        labels = None if data.held_out_labels is None else data.held_out_labels[:SAMPLES]
        classifier = MnistClassifier.pretrained() if digits else None
        components, name = None, "energy distance"
        if classifier is not None:
            name = "Frechet distance in the digit classifier's features"
        elif len(data.shape) == 3:
            flat, count = flatten_samples(real).numpy(), min(DIMENSIONS, len(real) - 1)
            components = PCA(count, svd_solver="randomized", random_state=0).fit(flat)
            name = f"Frechet distance in {count} principal components"
        bare = cls(name, torch.empty(0), torch.empty(0), labels, classifier, components)
        features = bare.embed(real)
        kth = min(NEIGHBOURS + 1, len(features))  # + 1: a sample is its own nearest neighbour
        radii = torch.cdist(features, features).kthvalue(kth, dim=1).values
        return cls(name, features, radii, labels, classifier, components)

    def embed(self, samples: Tensor) -> Tensor:
        """Features of samples ``(n, *shape)`` on the CPU, ``(n, f)``."""
        if self.classifier is not None:
            with torch.no_grad():
                return torch.cat(
                    [self.classifier.features(part) for part in torch.split(samples, FORWARD_SIZE)]
                )
        if self.components is not None:
            return torch.from_numpy(
                self.components.transform(flatten_samples(samples).numpy())
            ).float()
        return samples.flatten(1).float()

    def distance(self, samples: Tensor) -> float:
        """Of samples ``(n, *shape)`` on the CPU to the real ones; see `name`."""
        if not bool(samples.isfinite().all()):
            return math.inf
        images = self.classifier is not None or self.components is not None
        between = frechet_distance_of_features if images else energy_distance
        return between(self.features, self.embed(samples))

    def measure(self, samples: Tensor) -> QualityScores:
        """All that is measured of samples ``(n, *shape)`` on the CPU."""
        if not bool(samples.isfinite().all()):
            return QualityScores(math.inf, 0.0, math.nan if self.labels is None else 0.0)
        features = self.embed(samples)
        apart = torch.cdist(self.features, features)
        coverage = float((apart <= self.radii[:, None]).any(1).float().mean())
        return QualityScores(self.distance(samples), coverage, self._balance(features, apart))

    def _balance(self, features: Tensor, apart: Tensor) -> float:
        if self.labels is None:
            return math.nan
        if self.classifier is not None:
            with torch.no_grad():
                made = self.classifier.head(features).argmax(1)
        else:
            made = self.labels[apart.argmin(0)]  # that of the nearest real sample
        count = int(max(self.labels.max(), made.max())) + 1
        shares = [torch.bincount(each, minlength=count) / len(each) for each in (self.labels, made)]
        return float(1 - (shares[0] - shares[1]).abs().sum() / 2)


@functools.lru_cache(maxsize=4)  # a worker plays many games on the same data
def _sample_quality(name: str, options: str) -> tuple[SampleQuality, Tensor | None]:
    data = plugins.build("datasets", name, json.loads(options)).load()
    return SampleQuality.from_data(data, digits=name == "mnist"), data.labels


def load_sample_quality(data: Choice) -> tuple[SampleQuality, Tensor | None]:
    """The yardstick of a scenario's data, and the labels of its training samples, if any."""
    return _sample_quality(data.name, json.dumps(dict(data.options), sort_keys=True))


def generate_samples(gan: GAN, labels: Tensor | None, seed: int) -> Tensor:
    """`SAMPLES` samples of the judged generator on the CPU, from latents of a stream of their own.

    Args:
        gan: left as it is, and so are everybody's random numbers.
        labels: of the training samples; a GAN with classes is asked for those of random ones.
        seed: of the stream.
    """
    stream = torch.Generator().manual_seed(seed)
    device = next(gan.generator.parameters()).device
    made = []
    with without_side_effects(gan.evaluated_generator):
        for _ in range(SAMPLES // FORWARD_SIZE):
            inputs = [torch.randn(FORWARD_SIZE, gan.latent_size, generator=stream)]
            if gan.classes and labels is not None:
                chosen = torch.randint(len(labels), (FORWARD_SIZE,), generator=stream)
                inputs.append(labels[chosen])
            made.append(
                gan.evaluated_generator(*(each.to(device) for each in inputs)).float().cpu()
            )
    return torch.cat(made)


def energy_distance(real: Tensor, fake: Tensor) -> float:
    """Energy distance (Szekely & Rizzo 2013) over the real samples' mean pair distance, >= 0.

    >>> energy(torch.tensor([[0.0], [2.0]]), torch.tensor([[0.0], [2.0]]))
    0.0
    """
    own, apart, theirs = (
        torch.cdist(*pair).mean(dtype=torch.float64)
        for pair in ((real, real), (real, fake), (fake, fake))
    )
    return max(0.0, float((2 * apart - own - theirs) / own.clamp(min=1e-12)))


def frechet_distance_of_features(real: Tensor, fake: Tensor) -> float:
    """Frechet distance between two samples' Gaussians, from ``(n, f)`` features each."""
    both = [(each.double().mean(0), each.double().T.cov()) for each in (real, fake)]
    return frechet_distance(*both[0], *both[1])


def frechet_distance(mean: Tensor, covariance: Tensor, other: Tensor, others: Tensor) -> float:
    """Squared Frechet distance of two Gaussians (Heusel et al. 2017, equation 6).

    >>> one = torch.eye(2, dtype=torch.float64)
    >>> round(frechet(one[0] * 0, one, one[0], 4 * one), 6)
    3.0
    """
    values, vectors = torch.linalg.eigh(covariance)
    root = (vectors * values.clamp(min=0).sqrt()) @ vectors.T
    shared = torch.linalg.eigvalsh(root @ others @ root).clamp(min=0).sqrt().sum()
    gap = (mean - other).square().sum() + covariance.trace() + others.trace() - 2 * shared
    return max(0.0, float(gap))
