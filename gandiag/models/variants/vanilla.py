"""The plain GAN: two small fully connected networks and cross-entropy on logits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import PositiveInt

from gandiag.models.gan import GAN
from gandiag.models.gan_options import GANOptions
from gandiag.models.minibatch import build_batch_layer
from gandiag.models.networks import build_mlp_discriminator, build_mlp_generator


@dataclass(frozen=True)
class Vanilla(GANOptions):
    """Three linear layers each, LeakyReLU 0.2, cross-entropy on logits (Goodfellow et al. 2014).

    Samples may be images, ``(channels, height, width)``, or points, ``(d,)``.
    """

    latent_size: PositiveInt = 64  # A latent vector has this number of entries from N(0, 1).
    width: PositiveInt = 256  # Each hidden layer has this number of units.
    depth: PositiveInt = 2  # Each network has this number of hidden layers.
    # The activation follows each hidden layer of both networks.
    activation: Literal["leaky_relu", "relu", "tanh", "sigmoid"] = "leaky_relu"
    # The minibatch layer shows the discriminator statistics of its whole batch before its last
    # layer, against mode collapse.
    minibatch: Literal["none", "discrimination", "stddev"] = "none"

    def build(self, shape: tuple[int, ...]) -> GAN:
        """Return the GAN for samples of `shape`."""
        layer, extra = build_batch_layer(self.minibatch, self.width)
        generator = build_mlp_generator(
            self.latent_size, self.width, shape, self.depth, self.activation
        )
        discriminator = build_mlp_discriminator(
            self.discriminator_shape(shape), self.width, layer, extra, self.depth, self.activation
        )
        return self.build_gan(
            generator, self.constrain_discriminator(discriminator), self.latent_size
        )
