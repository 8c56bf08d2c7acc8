"""Options of the discriminator's training that all variants share: objective, penalties, norms."""

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
    Discriminator,
    Penalty,
    build_gradient_penalty,
    build_r1_penalty,
    build_weight_clipper,
)

# Spectral normalisation applies to the layers whose weight is a matrix or a convolution kernel.
NORMALIZED_LAYERS = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)


@dataclass(frozen=True)
class GANOptions:
    """Base class of variants: objective, penalties and constraints of the discriminator.

    A variant, built-in or third-party, inherits these options. Its `build` makes a discriminator
    for samples of `discriminator_shape`, passes it through `constrain_discriminator`, and passes
    both networks to `build_gan`. A fix that sets one of these options then applies to it.
    """

    # The objective gives the loss functions of both networks.
    objective: Literal["non_saturating", "saturating", "least_squares", "hinge", "wasserstein"] = (
        "non_saturating"
    )
    # Label smoothing lowers D's target for real samples from 1 to 1 - label_smoothing, and 0
    # disables it (Salimans et al. 2016, section 3.4, propose 0.1).
    label_smoothing: NonNegativeFloat = 0.0
    # The R1 penalty adds r1 / 2 times the squared norm of D's gradient at real samples to D's loss,
    # and 0 disables it (Mescheder et al. 2018, section 4.1).
    r1: NonNegativeFloat = 0.0
    # The gradient penalty adds this weight times (norm of D's gradient - 1)^2, between real and
    # generated samples, and 0 disables it (Gulrajani et al. 2017: 10 for images, 0.1 for points).
    gradient_penalty: NonNegativeFloat = 0.0
    # Weight clipping keeps each weight of D in [-clip, clip] after each step, and 0 disables it
    # (Arjovsky et al. 2017, algorithm 1: 0.01).
    clip: NonNegativeFloat = 0.0
    # Spectral normalisation divides each weight matrix of D by its largest singular value
    # (Miyato et al. 2018).
    spectral_norm: bool = False
    # Packing gives D this number of samples for one score (PacGAN, Lin et al. 2018: 2 to 4).
    pack: PositiveInt = 1

    def __post_init__(self) -> None:
        """Check the label smoothing.

        Raises:
            ValueError: the smoothing is 1 or more, or the objective has no target to smooth.
        """
        if self.label_smoothing >= 1:
            raise ValueError("label_smoothing must be below 1")
        smooth_labels(self.objective, self.label_smoothing)

    def discriminator_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of D's input for samples of `shape`: packs lie along the first axis."""
        return (self.pack * shape[0], *shape[1:])

    def constrain_discriminator(self, discriminator: nn.Module) -> nn.Module:
        """Return the discriminator with spectral normalisation and packing, as the options say."""
        if self.spectral_norm:  # one power iteration a forward pass (Miyato 2018, algorithm 1)
            for module in [m for m in discriminator.modules() if isinstance(m, NORMALIZED_LAYERS)]:
                spectral_norm(module)
        return PackedDiscriminator(discriminator, self.pack) if self.pack > 1 else discriminator

    def build_gan(
        self, generator: nn.Module, discriminator: nn.Module, latent_size: int, classes: int = 0
    ) -> GAN:
        """Return both networks with the objective, the penalties and the weight clipping.

        Args:
            generator: ``(B, latent_size) -> (B, *shape)``, with labels as second argument if
                `classes` is positive.
            discriminator: as `constrain_discriminator` returns it.
            latent_size: number of entries of a latent vector.
            classes: number of classes; 0 for networks without labels.
        """
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
