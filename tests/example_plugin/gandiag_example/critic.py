"""A Wasserstein critic with its own networks and its own gradient penalty."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gandiag.models.gan import GAN, Objective


@dataclass(frozen=True)
class OneSidedCritic:
    """A critic with a penalty on gradient norms above 1 (Petzka et al. 2018, equation 8)."""

    # Weight of the penalty (Petzka et al. 2018, section 5, use 5).
    penalty: float = 5.0
    # Number of entries of a latent vector, which is drawn from N(0, I).
    latent_size: int = 4
    # Number of units of a hidden layer.
    width: int = 32

    def build(self, shape: tuple[int, ...]) -> GAN:
        """Return the GAN for samples of `shape`."""
        size = math.prod(shape)
        return GAN(
            generator=nn.Sequential(
                nn.Linear(self.latent_size, self.width),
                nn.ELU(),
                nn.Linear(self.width, size),
                nn.Unflatten(1, shape),
            ),
            discriminator=nn.Sequential(
                nn.Flatten(),
                nn.Linear(size, self.width),
                nn.ELU(),
                nn.Linear(self.width, 1),
                nn.Flatten(0),
            ),
            objective=Objective(_critic_loss, _generator_loss, None),
            latent_size=self.latent_size,
            penalty=_one_sided_penalty(self.penalty),
        )


def _critic_loss(real_scores: Tensor, fake_scores: Tensor) -> Tensor:
    return fake_scores.mean() - real_scores.mean()


def _generator_loss(fake_scores: Tensor) -> Tensor:
    return -fake_scores.mean()


def _one_sided_penalty(weight: float) -> Callable[[nn.Module, Tensor, Tensor], Tensor]:
    def penalty(critic: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
        mix = torch.rand(len(real), *[1] * (real.ndim - 1))
        between = torch.lerp(real, fake, mix.to(real)).requires_grad_()
        (gradient,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
        return weight * (gradient.flatten(1).norm(dim=1) - 1).relu().square().mean()

    return penalty
