"""A GAN whose discriminator sees how alike the samples of its batch are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from pydantic import NonNegativeFloat, PositiveInt
from torch import Tensor, nn

from gandiag.gan import GAN
from gandiag.networks import discriminator_mlp, generator_mlp
from gandiag.objectives import CROSS_ENTROPY
from gandiag.penalties import r1

__all__ = ["MinibatchDiscrimination", "MinibatchSimilarity"]


@dataclass(frozen=True)
class MinibatchDiscrimination:
    """Vanilla with minibatch discrimination before D's last layer (Salimans et al. 2016, 3.2)."""

    objective: Literal["non_saturating", "saturating"] = "non_saturating"  # what G minimises
    latent_size: PositiveInt = 64  # entries of a latent, drawn from N(0, I)
    width: PositiveInt = 256  # units of a hidden layer
    kernels: PositiveInt = (
        16  # similarities a sample gets (paper: 100 on CIFAR-10); cost batch^2 x kernels
    )
    dimensions: PositiveInt = 5  # length of the rows that are compared (paper: 5)
    average: bool = False  # divide the sum by batch - 1, so that it does not grow with the batch
    r1: NonNegativeFloat = 0.0  # weight gamma of the R1 penalty on real samples; 0 is none

    def build(self, shape: tuple[int, ...]) -> GAN:
        """Return the GAN for samples of `shape`."""
        similarity = MinibatchSimilarity(self.width, self.kernels, self.dimensions, self.average)
        return GAN(
            generator=generator_mlp(self.latent_size, self.width, shape),
            discriminator=discriminator_mlp(shape, self.width, similarity, self.kernels),
            objective=CROSS_ENTROPY[self.objective],
            latent_size=self.latent_size,
            penalty=r1(self.r1),
        )


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
        similarities = self.similarities(features)
        if self.average:
            similarities = similarities / max(len(features) - 1, 1)
        return torch.cat([features, similarities], 1)

    def similarities(self, features: Tensor) -> Tensor:
        """``o``, ``(B, kernels)``."""
        rows = self.project(features).view(-1, self.kernels, self.dimensions)
        distance = (rows[:, None] - rows[None]).abs().sum(-1)
        return torch.exp(-distance).sum(1) - 1  # - 1: each sample's likeness to itself
