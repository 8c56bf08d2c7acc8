"""A convolutional GAN for small images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import PositiveInt

from gandiag.models.conv import (
    build_dcgan_discriminator,
    build_dcgan_generator,
    count_flat_features,
)
from gandiag.models.gan import GAN
from gandiag.models.gan_options import GANOptions
from gandiag.models.minibatch import build_batch_layer
from gandiag.plugins.errors import BadInput


@dataclass(frozen=True)
class DCGAN(GANOptions):
    """Two strided convolutions each, BatchNorm in G (after Radford et al. 2016), for small images.

    Height and width must be divisible by 4, as 28 and 32 are. Initial weights are drawn from
    N(0, 0.02^2), as in the paper.
    """

    latent_size: PositiveInt = 64  # A latent vector has this number of entries from N(0, 1).
    # The layers next to the images have this number of channels, and the inner layers have twice as
    # many (the paper uses 128).
    width: PositiveInt = 32
    # BatchNorm in D, too, as in the paper; do not combine it with a gradient penalty, because each
    # score then depends on the whole batch.
    batch_norm: bool = False
    # BatchNorm in G, as in the paper, which reports that G collapses to a single point without it
    # (Radford et al. 2016, section 3).
    generator_batch_norm: bool = True
    # The minibatch layer shows the discriminator statistics of its whole batch before its last
    # layer, against mode collapse.
    minibatch: Literal["none", "discrimination", "stddev"] = "none"

    def build(self, shape: tuple[int, ...]) -> GAN:
        """Return the GAN for samples of `shape`.

        Raises:
            BadInput: the samples are no images, or height or width is not divisible by 4.
        """
        if len(shape) != 3 or shape[1] % 4 or shape[2] % 4:
            problem = f"needs images with sides divisible by 4, and the data have the shape {shape}"
            raise BadInput("variant: dcgan", problem)
        input_shape = self.discriminator_shape(shape)
        features = count_flat_features(input_shape, self.width)
        layer, extra = build_batch_layer(self.minibatch, features)
        generator = build_dcgan_generator(
            self.latent_size, self.width, shape, self.generator_batch_norm
        )
        discriminator = build_dcgan_discriminator(
            input_shape, self.width, layer, extra, self.batch_norm
        )
        return self.build_gan(
            generator, self.constrain_discriminator(discriminator), self.latent_size
        )
