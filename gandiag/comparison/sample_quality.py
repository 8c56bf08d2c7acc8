"""Quality of generated samples: distance to real samples, coverage, and class balance.

A comparison measures all its runs in the same way. These scores are not the signals of the
detectors: they have more samples, latents of their own, and real samples that were not used for
training. A fix can therefore not look good just because it changes a detector's signal.
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

from gandiag.comparison.distances import energy_distance, frechet_distance_of_features
from gandiag.datasets.data import Data, load_data
from gandiag.models.gan import GAN
from gandiag.monitoring.features import flatten_samples
from gandiag.monitoring.mnist_classifier import MnistClassifier
from gandiag.monitoring.side_effects import without_side_effects
from gandiag.plugins import registry as plugins
from gandiag.scenario.schema import Choice

# Generated samples of one measurement, and largest number of real samples. Both distances are
# biased for finite samples; all runs have the same number, so the bias cancels in a comparison.
SAMPLES = 2000
FORWARD_SIZE = 500  # Samples of one forward pass, to bound the memory.
NEIGHBOURS = 5  # The k of coverage, as in Naeem et al. 2020.
DIMENSIONS = 50  # Principal components as features of images other than MNIST.


class QualityScores(NamedTuple):
    """Scores of generated samples.

    Attributes:
        distance: distance to the real samples, see `SampleQuality.name`; 0 is best, infinite if a
            sample is not finite.
        coverage: share of the real samples that have a generated sample within the distance to
            their `NEIGHBOURS`-th real neighbour, in [0, 1] (Naeem et al. 2020).
        balance: 1 minus the total variation distance between the class frequencies of generated
            and real samples, in [0, 1]; NaN for data without classes.
    """

    distance: float
    coverage: float
    balance: float


@dataclass(frozen=True)
class SampleQuality:
    """Held-out real samples in feature space, with which generated samples are compared.

    Attributes:
        name: name of the distance.
        features: ``(n, f)`` float32 features of the real samples.
        radii: ``(n,)`` distance of each real sample to its `NEIGHBOURS`-th nearest neighbour
            among the real samples.
        labels: ``(n,)`` int64 class of each real sample, or None for data without classes.
        classifier: gives features and classes of MNIST digits; None for other data.
        components: gives features of other images; None for points, which are their own features.
    """

    name: str
    features: Tensor
    radii: Tensor
    labels: Tensor | None
    classifier: MnistClassifier | None = None
    components: PCA | None = None

    @classmethod
    def from_data(cls, data: Data, digits: bool = False) -> SampleQuality:
        """Prepare the comparison with a dataset's held-out samples.

        Global random generators are not used.

        Args:
            data: the dataset.
            digits: whether the samples are MNIST digits.
        """
        real = data.held_out[:SAMPLES]
        labels = None if data.held_out_labels is None else data.held_out_labels[:SAMPLES]
        classifier = MnistClassifier.pretrained() if digits else None
        components, name = None, "energy distance"
        if classifier is not None:
            name = "Frechet distance in the digit classifier's features"
        elif len(data.shape) == 3:
            # Around their mean, n samples span at most n - 1 dimensions.
            flat, count = flatten_samples(real).numpy(), min(DIMENSIONS, len(real) - 1)
            # A fixed random state gives all runs the same components.
            components = PCA(count, svd_solver="randomized", random_state=0).fit(flat)
            name = f"Frechet distance in {count} principal components"
        empty = torch.empty(0)
        embedding = cls(name, empty, empty, labels, classifier, components)
        features = embedding.embed(real)  # `embed` needs only classifier and components
        kth = min(NEIGHBOURS + 1, len(features))  # + 1, as a sample is its own nearest neighbour
        radii = torch.cdist(features, features).kthvalue(kth, dim=1).values
        return cls(name, features, radii, labels, classifier, components)

    def embed(self, samples: Tensor) -> Tensor:
        """Return the features ``(n, f)`` of samples ``(n, *shape)`` on the CPU."""
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
        """Return the distance of samples ``(n, *shape)`` on the CPU to the real ones."""
        if not bool(samples.isfinite().all()):
            return math.inf
        is_image = self.classifier is not None or self.components is not None
        # The Frechet distance assumes Gaussian features, which points of several modes are not.
        measure = frechet_distance_of_features if is_image else energy_distance
        return measure(self.features, self.embed(samples))

    def measure(self, samples: Tensor) -> QualityScores:
        """Return all scores of samples ``(n, *shape)`` on the CPU."""
        if not bool(samples.isfinite().all()):
            # The worst scores and not missing ones: a fix must not win because its runs diverge.
            return QualityScores(math.inf, 0.0, math.nan if self.labels is None else 0.0)
        features = self.embed(samples)
        distances = torch.cdist(self.features, features)
        coverage = float((distances <= self.radii[:, None]).any(1).float().mean())
        return QualityScores(self.distance(samples), coverage, self._balance(features, distances))

    def _balance(self, features: Tensor, distances: Tensor) -> float:
        """Compare class frequencies.

        Args:
            features: ``(m, f)`` features of the generated samples.
            distances: ``(n, m)`` distances between real and generated samples.
        """
        if self.labels is None:
            return math.nan
        if self.classifier is not None:
            with torch.no_grad():
                predicted = self.classifier.head(features).argmax(1)
        else:
            predicted = self.labels[distances.argmin(0)]  # class of the nearest real sample
        # The held-out samples may lack a class that the classifier predicts.
        count = int(max(self.labels.max(), predicted.max())) + 1
        real, generated = (
            torch.bincount(labels, minlength=count) / len(labels)
            for labels in (self.labels, predicted)
        )
        return float(1 - (real - generated).abs().sum() / 2)


def load_sample_quality(data: Choice) -> tuple[SampleQuality, Tensor | None]:
    """Load a scenario's dataset.

    Returns:
        The comparison with its held-out samples, and the labels ``(n,)`` of its training samples
        or None.
    """
    # The cache needs hashable arguments, so the options are passed as text with sorted keys.
    return _load_cached(data.name, json.dumps(dict(data.options), sort_keys=True))


@functools.lru_cache(maxsize=4)  # a worker trains many runs on the same data
def _load_cached(name: str, options: str) -> tuple[SampleQuality, Tensor | None]:
    data = load_data(plugins.build("datasets", name, json.loads(options)), f"data: {name}")
    return SampleQuality.from_data(data, digits=name == "mnist"), data.labels


def generate_samples(gan: GAN, labels: Tensor | None, seed: int) -> Tensor:
    """Generate `SAMPLES` samples on the CPU with the evaluated generator.

    The networks and all global random generators stay as they are.

    Args:
        gan: its averaged generator is used if it has one.
        labels: labels of the training samples, among which the classes are drawn if the generator
            takes classes; None for data without classes.
        seed: seed of the latents.
    """
    # On the CPU, so that the latents are the same on every device.
    stream = torch.Generator().manual_seed(seed)
    device = next(gan.generator.parameters()).device
    samples = []
    with without_side_effects(gan.evaluated_generator):
        for _ in range(SAMPLES // FORWARD_SIZE):
            inputs = [torch.randn(FORWARD_SIZE, gan.latent_size, generator=stream)]
            if gan.classes and labels is not None:
                chosen = torch.randint(len(labels), (FORWARD_SIZE,), generator=stream)
                inputs.append(labels[chosen])
            samples.append(
                gan.evaluated_generator(*(each.to(device) for each in inputs)).float().cpu()
            )
    return torch.cat(samples)
