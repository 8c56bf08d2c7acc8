"""The Dirac-GAN: one weight a network, the smallest GAN that need not converge."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from pydantic import NonNegativeFloat, PositiveFloat
from torch import Tensor, nn

from gandiag.models.gan import GAN
from gandiag.models.gan_options import GANOptions
from gandiag.models.networks import Scorer


@dataclass(frozen=True)
class Dirac(GANOptions):
    """A learned shift and a linear score: the Dirac-GAN of Mescheder et al. 2018, section 2.

    The generator is ``G(z) = shift + sd * z``, with one learned shift for each axis. The
    discriminator is ``D(x) = weight . x``. For data around 0, shift and weight are both 0 at the
    equilibrium. Gradient descent with the minimax or the Wasserstein objective circles around the
    equilibrium without end. With the R1 penalty it converges.
    """

    # Samples have this standard deviation around the shift, in data units; 0 gives a single point.
    sd: NonNegativeFloat = 0.1
    # Initial shifts and weights are drawn from N(start, (start / 10)^2); values far from 0 show the
    # cycle.
    start: PositiveFloat = 1.0

    def build(self, shape: tuple[int, ...]) -> GAN:
        """Return the GAN for samples of `shape`; a latent vector has the entries of a sample."""
        entries = math.prod(shape)
        score = nn.Linear(self.pack * entries, 1, bias=False)
        with torch.no_grad():
            score.weight.copy_(self.start * (1 + torch.randn(score.weight.shape) / 10))
        generator = _Shift(shape, self.sd, self.start)
        discriminator = self.constrain_discriminator(Scorer(nn.Sequential(nn.Flatten(), score)))
        return self.build_gan(generator, discriminator, latent_size=entries)


class _Shift(nn.Module):
    """Generator that adds one learned shift for each axis to scaled latents."""

    def __init__(self, shape: tuple[int, ...], sd: float, start: float) -> None:
        super().__init__()
        self.shape, self.sd = shape, sd
        self.shift = nn.Parameter(start * (1 + torch.randn(shape) / 10))

    def forward(self, latents: Tensor) -> Tensor:
        """Map ``(B, prod(shape))`` latents to ``(B, *shape)`` samples."""
        return self.shift + self.sd * latents.view(-1, *self.shape)
