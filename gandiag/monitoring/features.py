"""Feature vectors of samples: flattened pixels or an embedding, and their principal components."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeAlias

import torch
from sklearn.decomposition import PCA
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from gandiag.monitoring.side_effects import without_side_effects

# A function from ``(n, *shape)`` samples to ``(n, ...)`` features.
Embedding: TypeAlias = "Callable[[Tensor], Tensor]"

# Pixels a side. Larger images are averaged down: modes differ in their coarse content.
MAX_SIDE = 32
# Samples that an embedding gets at a time, as its activations for more may not fit into memory.
EMBEDDING_BATCH = 256
# Principal components kept. In thousands of dimensions, distances between samples hardly differ.
PRINCIPAL_COMPONENTS = 50


class SampleFeatures(NamedTuple):
    """Samples as float32 rows.

    Attributes:
        flat: ``(n, D)`` flattened samples, see `flatten_samples`.
        features: ``(n, E)`` features of an embedding; the tensor `flat` itself without one.
        shape: shape of one sample before it was flattened; empty if unknown.
    """

    flat: Tensor
    features: Tensor
    shape: tuple[int, ...] = ()

    @classmethod
    def from_samples(cls, samples: Tensor, embedding: Embedding | None = None) -> SampleFeatures:
        """Flatten and embed ``(n, *shape)`` samples; the embedding itself is not changed.

        Raises:
            ValueError: the embedding does not return one row for each sample.
        """
        small = _average_down(samples.float())
        flat = small.flatten(1)
        features = flat if embedding is None else _embed(samples, embedding)
        return cls(flat, features, tuple(small.shape[1:]))

    @classmethod
    def join(cls, parts: Iterable[SampleFeatures]) -> SampleFeatures:
        """Join parts of samples of one shape, in their order."""
        parts = list(parts)
        flat = torch.cat([part.flat for part in parts])
        if parts[0].features is parts[0].flat:
            return cls(flat, flat, parts[0].shape)
        return cls(flat, torch.cat([part.features for part in parts]), parts[0].shape)

    @classmethod
    def gather(
        cls,
        samples: Tensor,
        indices: Tensor,
        embedding: Embedding | None = None,
        device: torch.device | None = None,
    ) -> SampleFeatures:
        """Flatten and embed the samples at `indices`, a few at a time.

        A copy of 2,000 colour images of 128 x 128 pixels would take 390 MB.

        Args:
            samples: ``(N, *shape)``.
            indices: ``(n,)`` chosen samples, in the order of the result.
            embedding: maps samples to features; None for the flattened samples.
            device: where the result is computed; None for the device of `samples`.

        Raises:
            ValueError: the embedding does not return one row for each sample.
        """
        parts = torch.split(indices.to(samples.device), EMBEDDING_BATCH)
        return cls.join(cls.from_samples(samples[part].to(device), embedding) for part in parts)

    def select(self, indices: Tensor) -> SampleFeatures:
        """Return the rows at `indices`, on the device of these rows."""
        flat = self.flat[indices.to(self.flat.device)]
        if self.features is self.flat:
            return SampleFeatures(flat, flat, self.shape)
        features = self.features[indices.to(self.features.device)]
        return SampleFeatures(flat, features, self.shape)


def flatten_samples(samples: Tensor) -> Tensor:
    """Flatten samples ``(n, *shape)`` to float32 rows ``(n, D)``, see `_average_down`."""
    return _average_down(samples.float()).flatten(1)


def _average_down(samples: Tensor) -> Tensor:
    """Images of at most `MAX_SIDE` pixels a side; other samples as they are.

    An averaged image has fewer pixels, so its values are multiplied by the square root of the
    ratio: distances between smooth images stay what they were.
    """
    if samples.ndim == 4 and max(samples.shape[2:]) > MAX_SIDE:
        pixels = samples.shape[2] * samples.shape[3]
        samples = adaptive_avg_pool2d(samples, MAX_SIDE) * (pixels**0.5 / MAX_SIDE)
    return samples


def find_principal_directions(features: Tensor, seed: int) -> Tensor | None:
    """Principal directions ``(E, d)`` of ``(n, E)`` features, d <= `PRINCIPAL_COMPONENTS`.

    Returns:
        None for few dimensions, where none need to be left out, and for samples that are all equal,
        which have no directions.
    """
    if features.shape[1] <= PRINCIPAL_COMPONENTS or bool((features == features[0]).all()):
        return None
    count = min(PRINCIPAL_COMPONENTS, len(features) - 1)
    fitted = PCA(count, svd_solver="randomized", random_state=seed).fit(features.cpu().numpy())
    return torch.from_numpy(fitted.components_.T.copy()).to(features)


def project(features: Tensor, mean: Tensor, directions: Tensor | None) -> Tensor:
    """Project ``(n, E)`` features on principal directions ``(E, d)``, as ``(n, d + 1)``.

    The last coordinate is a sample's distance from the subspace: without this coordinate, noise
    outside the subspace would be invisible. If `directions` is None, only `mean` is subtracted.
    """
    centred = features - mean
    if directions is None:
        return centred
    inside = centred @ directions
    # By Pythagoras from the lengths: the residual itself would take another 1.6 MB for digits.
    lengths = torch.linalg.vector_norm(centred, dim=1)
    outside = (lengths.square() - inside.square().sum(1)).clamp(min=0).sqrt()
    return torch.cat([inside, outside[:, None]], 1)


def _embed(samples: Tensor, embedding: Embedding) -> Tensor:
    """Features of an embedding as float32 rows; its buffers and the random states are restored."""
    networks = [embedding] if isinstance(embedding, nn.Module) else []
    with without_side_effects(*networks):
        parts = [embedding(part) for part in torch.split(samples.detach().float(), EMBEDDING_BATCH)]
    rows = torch.cat(parts)
    if len(rows) != len(samples) or rows.ndim < 2:
        shapes = f"{tuple(rows.shape)} for {tuple(samples.shape)}"
        raise ValueError(f"the embedding returns no row of features for each sample: {shapes}")
    return rows.detach().flatten(1).float()
