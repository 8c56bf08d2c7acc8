"""A GAN whose discriminator compares the samples of its batch with one another."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import PositiveInt

from gandiag.models.gan import GAN
from gandiag.models.gan_options import GANOptions
from gandiag.models.minibatch import MinibatchSimilarity
from gandiag.models.networks import build_mlp_discriminator, build_mlp_generator


@dataclass(frozen=True)
class MinibatchDiscrimination(GANOptions):
    """Vanilla with minibatch discrimination before D's last layer (Salimans et al. 2016, 3.2).

    The variant has all options of the layer. Other variants have it with fixed sizes, as
    ``minibatch: discrimination``.
    """

    latent_size: PositiveInt = 64  # A latent vector has this number of entries from N(0, 1).
    width: PositiveInt = 256  # Each hidden layer has this number of units.
    # Each sample gets this number of similarities, at a cost proportional to batch^2 * kernels
    # (the paper uses 100 on CIFAR-10).
    kernels: PositiveInt = 16
    # The vectors that are compared have this number of entries (the paper uses 5).
    dimensions: PositiveInt = 5
    # Averaging divides each similarity by batch - 1, so that it does not grow with the batch.
    average: bool = False

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
