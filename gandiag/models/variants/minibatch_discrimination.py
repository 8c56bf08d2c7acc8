"""A GAN whose discriminator sees how alike the samples of its batch are."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import PositiveInt

from gandiag.models.gan import GAN
from gandiag.models.gan_options import GANOptions
from gandiag.models.minibatch import MinibatchSimilarity
from gandiag.models.networks import build_mlp_discriminator, build_mlp_generator


@dataclass(frozen=True)
class MinibatchDiscrimination(GANOptions):
    """Vanilla with minibatch discrimination before D's last layer (Salimans et al. 2016, 3.2)."""

    latent_size: PositiveInt = 64  # entries of a latent, drawn from N(0, I)
    width: PositiveInt = 256  # units of a hidden layer
    kernels: PositiveInt = (
        16  # similarities a sample gets (paper: 100 on CIFAR-10); cost batch^2 x kernels
    )
    dimensions: PositiveInt = 5  # length of the rows that are compared (paper: 5)
    average: bool = False  # divide the sum by batch - 1, so that it does not grow with the batch

    def build(self, shape: tuple[int, ...]) -> GAN:
        """Return the GAN for samples of `shape`."""
        similarity = MinibatchSimilarity(self.width, self.kernels, self.dimensions, self.average)
        generator = build_mlp_generator(self.latent_size, self.width, shape)
        discriminator = build_mlp_discriminator(
            self.discriminator_shape(shape), self.width, similarity, self.kernels
        )
        return self.build_gan(
            generator, self.constrain_discriminator(discriminator), self.latent_size
        )
