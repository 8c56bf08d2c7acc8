"""A Wasserstein GAN: the discriminator is a critic, and the losses are linear in its scores.

A linear loss has the same derivative at every score. Therefore the generator's gradient does not
vanish when the critic separates real and generated samples perfectly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import PositiveFloat, PositiveInt

from gandiag.models.gan import GAN
from gandiag.models.variants.vanilla import Vanilla


@dataclass(frozen=True)
class LinearCritic:
    """A Wasserstein critic with clipped weights (Arjovsky et al. 2017) or a gradient penalty."""

    # The Lipschitz constraint bounds the critic's gradient by a penalty or by clipped weights.
    lipschitz: Literal["gradient_penalty", "clip"] = "gradient_penalty"
    # The gradient penalty has this weight (Gulrajani et al. 2017: 10 for images, 0.1 for points).
    penalty: PositiveFloat = 10.0
    # Clipping keeps each weight in [-bound, bound] (Arjovsky et al. 2017, algorithm 1).
    bound: PositiveFloat = 0.01
    latent_size: PositiveInt = 64  # A latent vector has this number of entries from N(0, 1).
    width: PositiveInt = 256  # Each hidden layer has this number of units.

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
