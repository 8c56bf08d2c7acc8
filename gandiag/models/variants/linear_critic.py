"""A GAN whose discriminator is a critic: its score is linear, and no probability."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import PositiveFloat, PositiveInt

from gandiag.models.gan import GAN
from gandiag.models.variants.vanilla import Vanilla


@dataclass(frozen=True)
class LinearCritic:
    """A Wasserstein critic with clipped weights (Arjovsky et al. 2017) or a gradient penalty."""

    lipschitz: Literal["gradient_penalty", "clip"] = "gradient_penalty"  # what bounds the slope
    penalty: PositiveFloat = (
        10.0  # weight of the gradient penalty (Gulrajani et al. 2017; 0.1 for points)
    )
    bound: PositiveFloat = 0.01  # of each clipped weight (Arjovsky et al. 2017, algorithm 1)
    latent_size: PositiveInt = 64  # entries of a latent, drawn from N(0, I)
    width: PositiveInt = 256  # units of a hidden layer

    def build(self, shape: tuple[int, ...]) -> GAN:
        """Return the GAN for samples of `shape`."""
        clip = self.lipschitz == "clip"
        return Vanilla(
            objective="wasserstein",
            gradient_penalty=0.0 if clip else self.penalty,
            clip=self.bound if clip else 0.0,
            latent_size=self.latent_size,
            width=self.width,
        ).build(shape)
