"""The plain GAN: two small networks and cross-entropy on logits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import NonNegativeFloat, PositiveInt

from gandiag.gan import GAN
from gandiag.networks import discriminator_mlp, generator_mlp
from gandiag.objectives import CROSS_ENTROPY
from gandiag.penalties import r1

__all__ = ["Vanilla"]


@dataclass(frozen=True)
class Vanilla:
    """Three linear layers each, LeakyReLU 0.2, cross-entropy on logits (Goodfellow et al. 2014)."""

    objective: Literal["non_saturating", "saturating"] = "non_saturating"  # what G minimises
    latent_size: PositiveInt = 64  # entries of a latent, drawn from N(0, I)
    width: PositiveInt = 256  # units of a hidden layer
    r1: NonNegativeFloat = 0.0  # weight gamma of the R1 penalty on real samples; 0 is none

    def build(self, shape: tuple[int, ...]) -> GAN:
        """Return the GAN for samples of `shape`."""
        return GAN(
            generator=generator_mlp(self.latent_size, self.width, shape),
            discriminator=discriminator_mlp(shape, self.width),
            objective=CROSS_ENTROPY[self.objective],
            latent_size=self.latent_size,
            penalty=r1(self.r1),
        )
