"""A GAN that is told which class to make."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from pydantic import PositiveInt

from gandiag.models.gan import GAN
from gandiag.models.gan_options import GANOptions
from gandiag.models.minibatch import build_batch_layer
from gandiag.models.networks import (
    LabelledDiscriminator,
    LabelledGenerator,
    build_mlp_discriminator,
    build_mlp_generator,
)


@dataclass(frozen=True)
class Conditional(GANOptions):
    """Vanilla whose two networks get each sample's class too (Mirza & Osindero 2014).

    It needs data with labels. Fakes are asked for in the classes of real samples.
    """

    classes: PositiveInt = 10  # labels are 0 to classes - 1; MNIST has 10, a ring one a mode
    latent_size: PositiveInt = 64  # entries of a latent, drawn from N(0, I)
    width: PositiveInt = 256  # units of a hidden layer
    depth: PositiveInt = 2  # hidden layers of each network
    activation: Literal["leaky_relu", "relu", "tanh", "sigmoid"] = "leaky_relu"  # of hidden layers
    minibatch: Literal["none", "discrimination", "stddev"] = "none"  # what D sees of its batch

    def build(self, shape: tuple[int, ...]) -> GAN:
        """Return the GAN for samples of `shape`; both networks take labels as well."""
        layer, extra = build_batch_layer(self.minibatch, self.width)
        inputs = self.latent_size + self.classes
        generator = build_mlp_generator(inputs, self.width, shape, self.depth, self.activation)
        seen = self.discriminator_shape((math.prod(shape) + self.classes,))
        discriminator = build_mlp_discriminator(
            seen, self.width, layer, extra, self.depth, self.activation
        )
        return self.build_gan(
            LabelledGenerator(generator, self.classes),
            LabelledDiscriminator(self.constrain_discriminator(discriminator), self.classes),
            self.latent_size,
            self.classes,
        )
