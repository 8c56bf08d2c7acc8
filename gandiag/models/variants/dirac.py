"""Two numbers against each other: the smallest game that need not converge."""

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
    """A shift against a linear score: the Dirac-GAN of Mescheder et al. 2018, section 2.

    The generator only moves a cloud of fixed width about; the discriminator's score is a product
    with one weight an axis. Against data around 0 the equilibrium is 0 for both. Plain steps on
    the minimax objective or with a linear critic go round it for ever; the R1 penalty lets both
    spiral in.
    """

    sd: NonNegativeFloat = 0.1  # of the samples around the shift, in data units; 0 is one point
    start: PositiveFloat = 1.0  # of both weights, give or take a tenth; far from 0 shows the cycle

    def build(self, shape: tuple[int, ...]) -> GAN:
        """Return the GAN for samples of `shape`; a latent has as many entries as a sample."""
        entries = math.prod(shape)
        score = nn.Linear(self.pack * entries, 1, bias=False)
        with torch.no_grad():
            score.weight.copy_(self.start * (1 + torch.randn(score.weight.shape) / 10))
        generator = _Shift(shape, self.sd, self.start)
        discriminator = self.constrain_discriminator(Scorer(nn.Sequential(nn.Flatten(), score)))
        return self.build_gan(generator, discriminator, latent_size=entries)


class _Shift(nn.Module):
    """Adds its one weight an axis to scaled latents."""

    def __init__(self, shape: tuple[int, ...], sd: float, start: float) -> None:
        super().__init__()
        self.shape, self.sd = shape, sd
        self.shift = nn.Parameter(start * (1 + torch.randn(shape) / 10))

    def forward(self, latents: Tensor) -> Tensor:
        """``(B, prod(shape)) -> (B, *shape)``."""
        return self.shift + self.sd * latents.view(-1, *self.shape)
