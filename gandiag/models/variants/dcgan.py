"""A convolutional GAN for small images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import PositiveInt

from gandiag.models.conv import (
    build_dcgan_discriminator,
    count_flat_features,
    build_dcgan_generator,
)
from gandiag.models.gan import GAN
from gandiag.models.gan_options import GANOptions
from gandiag.models.minibatch import build_batch_layer
from gandiag.plugins.errors import BadInput


@dataclass(frozen=True)
class DCGAN(GANOptions):
    """Two strided convolutions each, BatchNorm in G (after Radford et al. 2016), for small images.

    Height and width are divisible by 4, as 28 and 32 are. Weights begin at N(0, 0.02), as in the
    paper.
    """

    latent_size: PositiveInt = 64  # entries of a latent, drawn from N(0, I)
    width: PositiveInt = 32  # channels beside the images; twice as many inside (paper: 128)
    batch_norm: bool = False  # in D too, as in the paper; not together with a penalty on slopes
    minibatch: Literal["none", "discrimination", "stddev"] = "none"  # what D sees of its batch

    def build(self, shape: tuple[int, ...]) -> GAN:
        """Return the GAN for samples of `shape`.

        Raises:
            BadInput: the samples are no images, or their sides are not divisible by 4.
        """
        if len(shape) != 3 or shape[1] % 4 or shape[2] % 4:
            problem = f"makes images whose sides are divisible by 4, and the data are {shape}"
            raise BadInput("variant: dcgan", problem)
        seen = self.discriminator_shape(shape)
        layer, extra = build_batch_layer(self.minibatch, count_flat_features(seen, self.width))
        generator = build_dcgan_generator(self.latent_size, self.width, shape)
        discriminator = build_dcgan_discriminator(seen, self.width, layer, extra, self.batch_norm)
        return self.build_gan(
            generator, self.constrain_discriminator(discriminator), self.latent_size
        )
