"""The rules of a game, whatever its networks: what is minimised, and what holds D back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import NonNegativeFloat, PositiveInt
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from gandiag.models.gan import GAN
from gandiag.models.losses import smooth_labels
from gandiag.models.networks import PackedDiscriminator
from gandiag.models.penalties import (
    Penalty,
    Discriminator,
    build_weight_clipper,
    build_gradient_penalty,
    build_r1_penalty,
)

NORMALIZED_LAYERS = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)  # layers that have a spectral norm


@dataclass(frozen=True)
class GANOptions:
    """Options that every variant has which inherits them; a stranger's may do so too.

    A variant's `build` makes its discriminator for samples of `discriminator_shape`, passes it
    through `constrain_discriminator`, and both networks through `build_gan`.
    """

    objective: Literal["non_saturating", "saturating", "least_squares", "hinge", "wasserstein"] = (
        "non_saturating"  # what the players minimise
    )
    label_smoothing: NonNegativeFloat = (
        0.0  # D's target for reals is 1 less this (Salimans et al. 2016, 3.4: 0.1); 0 is none
    )
    r1: NonNegativeFloat = 0.0  # weight gamma of the R1 penalty on real samples; 0 is none
    gradient_penalty: NonNegativeFloat = (
        0.0  # weight of (slope - 1)^2 between real and fake (images 10, points 0.1); 0 is none
    )
    clip: NonNegativeFloat = 0.0  # bound of each weight of D (Arjovsky et al. 2017: 0.01); 0: none
    spectral_norm: bool = False  # divide D's weights by their largest singular value
    pack: PositiveInt = 1  # samples that D scores together (Lin et al. 2018: 2 to 4)

    def __post_init__(self) -> None:
        """Refuse smoothing that leaves no target, or where there is none to be smoothed."""
        if self.label_smoothing >= 1:
            raise ValueError("label_smoothing lies below 1")
        smooth_labels(self.objective, self.label_smoothing)

    def discriminator_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of what D scores at a time, for samples of `shape`: packs lie along axis 0."""
        return (self.pack * shape[0], *shape[1:])

    def constrain_discriminator(self, discriminator: nn.Module) -> nn.Module:
        """The discriminator with the norms and packs that the rules ask for."""
        if self.spectral_norm:  # Miyato et al. 2018, algorithm 1: one power iteration a pass
            for module in [m for m in discriminator.modules() if isinstance(m, NORMALIZED_LAYERS)]:
                spectral_norm(module)
        return PackedDiscriminator(discriminator, self.pack) if self.pack > 1 else discriminator

    def build_gan(
        self, generator: nn.Module, discriminator: nn.Module, latent_size: int, classes: int = 0
    ) -> GAN:
        """The two networks with what they minimise and what holds D back."""
        return GAN(
            generator=generator,
            discriminator=discriminator,
            objective=smooth_labels(self.objective, self.label_smoothing),
            latent_size=latent_size,
            penalty=_add_penalties(
                build_r1_penalty(self.r1), build_gradient_penalty(self.gradient_penalty)
            ),
            constrain=build_weight_clipper(self.clip) if self.clip else None,
            classes=classes,
        )


def _add_penalties(first: Penalty | None, second: Penalty | None) -> Penalty | None:
    if first is None or second is None:
        return first or second

    def penalty(discriminator: Discriminator, real: Tensor, fake: Tensor) -> Tensor:
        return first(discriminator, real, fake) + second(discriminator, real, fake)

    return penalty
