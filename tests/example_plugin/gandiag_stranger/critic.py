"""A Wasserstein critic with networks and a penalty of its own."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gandiag.models.gan import GAN, Objective

__all__ = ["OneSidedCritic"]


@dataclass(frozen=True)
class OneSidedCritic:
    """A critic whose slope is penalised above 1 only (Petzka et al. 2018, equation 8)."""

    penalty: float = 5.0  # weight of the penalty (the paper's section 5 uses 5)
    latent_size: int = 4  # entries of a latent, drawn from N(0, I)
    width: int = 32  # units of a hidden layer

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
            objective=Objective(_critic, _generator, None),
            latent_size=self.latent_size,
            penalty=_one_sided(self.penalty),
        )


def _critic(real_scores: Tensor, fake_scores: Tensor) -> Tensor:
    return fake_scores.mean() - real_scores.mean()


def _generator(fake_scores: Tensor) -> Tensor:
    return -fake_scores.mean()


def _one_sided(weight: float) -> Callable[[nn.Module, Tensor, Tensor], Tensor]:
    def penalty(critic: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
        mix = torch.rand(len(real), *[1] * (real.ndim - 1))
        between = torch.lerp(real, fake, mix.to(real)).requires_grad_()
        (slope,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
        return weight * (slope.flatten(1).norm(dim=1) - 1).relu().square().mean()

    return penalty
