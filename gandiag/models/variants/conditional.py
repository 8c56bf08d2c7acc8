"""A conditional GAN: both networks take the class of each sample."""

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
    """Vanilla with the class of each sample as input of both networks (Mirza & Osindero 2014).

    The data need labels. Generated samples get the classes of randomly drawn real samples.
    """

    # Labels are 0 to classes - 1 (MNIST has 10 classes; each mode of a ring or grid is a class).
    classes: PositiveInt = 10
    latent_size: PositiveInt = 64  # A latent vector has this number of entries from N(0, 1).
    width: PositiveInt = 256  # Each hidden layer has this number of units.
    depth: PositiveInt = 2  # Each network has this number of hidden layers.
    # The activation follows each hidden layer of both networks.
    activation: Literal["leaky_relu", "relu", "tanh", "sigmoid"] = "leaky_relu"
    # The minibatch layer shows the discriminator statistics of its whole batch before its last
    # layer, against mode collapse.
    minibatch: Literal["none", "discrimination", "stddev"] = "none"

    def build(self, shape: tuple[int, ...]) -> GAN:
        """Return the GAN for samples of `shape`; both networks take labels as well."""
        layer, extra = build_batch_layer(self.minibatch, self.width)
        # The class is a one-hot vector beside the latent, and beside the flat sample. Packing then
        # keeps each sample together with its class.
        inputs = self.latent_size + self.classes
        generator = build_mlp_generator(inputs, self.width, shape, self.depth, self.activation)
        input_shape = self.discriminator_shape((math.prod(shape) + self.classes,))
        discriminator = build_mlp_discriminator(
            input_shape, self.width, layer, extra, self.depth, self.activation
        )
        return self.build_gan(
            LabelledGenerator(generator, self.classes),
            LabelledDiscriminator(self.constrain_discriminator(discriminator), self.classes),
            self.latent_size,
            self.classes,
        )
