"""Samples as rows of numbers to be compared: flattened, or as an embedding sees them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from gandiag.monitoring.side_effects import without_side_effects

Embedding: TypeAlias = "Callable[[Tensor], Tensor]"  # (n, *shape) samples -> (n, ...) features

SIDE = 32  # pixels; larger images are averaged down: diversity lies in the coarse content
CHUNK = 256  # samples that an embedding is given at a time, as a network's memory may not take more


class Rows(NamedTuple):
    """Samples as float32 rows.

    Attributes:
        flat: ``(n, D)``, see `flatten`.
        features: ``(n, E)``, what an embedding made of them; `flat` itself where there is none.
    """

    flat: Tensor
    features: Tensor

    @classmethod
    def of(cls, samples: Tensor, embedding: Embedding | None = None) -> Rows:
        """Rows of ``(n, *shape)`` samples; the embedding is asked without leaving a trace in it.

        Raises:
            ValueError: the embedding does not give one row for each sample.
        """
        flat = flatten(samples)
        return cls(flat, flat if embedding is None else _embedded(samples, embedding))

    def at(self, order: Tensor) -> Rows:
        """Those at the places `order`, on the rows' own device."""
        flat = self.flat[order.to(self.flat.device)]
        own = self.features is self.flat
        return Rows(flat, flat if own else self.features[order.to(self.features.device)])


def flatten(samples: Tensor) -> Tensor:
    """Samples ``(n, *shape)`` as float32 rows, ``(n, D)``; large images are averaged down.

    What is averaged is scaled up again, so that distances between smooth images stay what they are.
    """
    samples = samples.float()
    if samples.ndim == 4 and max(samples.shape[2:]) > SIDE:
        pixels = samples.shape[2] * samples.shape[3]
        samples = adaptive_avg_pool2d(samples, SIDE) * (pixels**0.5 / SIDE)
    return samples.flatten(1)


def _embedded(samples: Tensor, embedding: Embedding) -> Tensor:
    """What an embedding makes of samples, as float32 rows."""
    networks = [embedding] if isinstance(embedding, nn.Module) else []
    with without_side_effects(*networks):
        parts = [embedding(part) for part in torch.split(samples.detach().float(), CHUNK)]
    rows = torch.cat(parts)
    if len(rows) != len(samples) or rows.ndim < 2:
        shapes = f"{tuple(rows.shape)} for {tuple(samples.shape)}"
        raise ValueError(f"the embedding gives no row of features for each sample: {shapes}")
    return rows.detach().flatten(1).float()
