"""What a discriminator may be shown of its whole batch, beside each sample's own features."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

BatchLayerName = Literal["none", "discrimination", "stddev"]

KERNELS, DIMENSIONS = 16, 5  # of `discrimination` where a variant has no options for it


def build_batch_layer(view: BatchLayerName, features: int) -> tuple[nn.Module | None, int]:
    """The layer for ``(B, features)`` features, and how many features it adds.

    Similarities are averaged over the batch: on MNIST with batches of 64 the paper's plain sum did
    not cure a collapse, the mean did.
    """
    if view == "discrimination":
        return MinibatchSimilarity(features, KERNELS, DIMENSIONS, average=True), KERNELS
    return (MinibatchDeviation(), 1) if view == "stddev" else (None, 0)


class MinibatchSimilarity(nn.Module):
    """Append to each sample's features how close the others of its batch are.

    ``M_i = T f(x_i)``; ``o_ib = sum over j != i of exp(-||M_ib - M_jb||_1)`` (Salimans et al. 2016,
    section 3.2). ``o`` lies in [0, B - 1]: B - 1 for a batch of one repeated sample, 0 for
    far-apart ones. Memory and time grow with ``B^2 x kernels x dimensions``.
    """

    def __init__(self, features: int, kernels: int, dimensions: int, average: bool = False) -> None:
        """Make the tensor T for ``(B, features)`` inputs."""
        super().__init__()
        self.kernels, self.dimensions, self.average = kernels, dimensions, average
        self.project = nn.Linear(features, kernels * dimensions, bias=False)
        nn.init.normal_(self.project.weight, std=features**-0.5)

    def forward(self, features: Tensor) -> Tensor:
        """``(B, features) -> (B, features + kernels)``."""
        similarities = self.compute_similarities(features)
        if self.average:
            similarities = similarities / max(len(features) - 1, 1)
        return torch.cat([features, similarities], 1)

    def compute_similarities(self, features: Tensor) -> Tensor:
        """``o``, ``(B, kernels)``."""
        rows = self.project(features).view(-1, self.kernels, self.dimensions)
        distance = (rows[:, None] - rows[None]).abs().sum(-1)
        return torch.exp(-distance).sum(1) - 1  # - 1: each sample's likeness to itself


class MinibatchDeviation(nn.Module):
    """Append the features' standard deviation over the batch, averaged over all features.

    One number for all samples of the batch (Karras et al. 2018, section 3): ``sqrt(1e-8)`` for a
    batch of one repeated sample.
    """

    def forward(self, features: Tensor) -> Tensor:
        """``(B, features) -> (B, features + 1)``."""
        deviation = (features.var(0, correction=0) + 1e-8).sqrt().mean()  # 1e-8: finite slope at 0
        return torch.cat([features, deviation.expand(len(features), 1)], 1)
