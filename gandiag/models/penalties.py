"""Penalties and constraints on the discriminator that variants share.

A penalty is a function ``(discriminator, real, fake) -> loss`` made with its weight, where the
discriminator is anything that gives scores of samples. Its slope is that of a score: of a pack's
score, at all the samples of the pack.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

Discriminator = Callable[[Tensor], Tensor]
Penalty = Callable[[Discriminator, Tensor, Tensor], Tensor]


def build_r1_penalty(gamma: float) -> Penalty | None:
    """``gamma / 2 * E ||grad D(x)||^2`` on real samples (Mescheder et al. 2018, equation 9).

    None for a gamma of 0, which asks for no penalty.
    """

    def penalty(discriminator: Discriminator, real: Tensor, fake: Tensor) -> Tensor:
        real = real.detach().requires_grad_()
        return (
            gamma / 2 * _compute_input_gradients(discriminator(real), real).square().sum(1).mean()
        )

    return penalty if gamma else None


def build_gradient_penalty(weight: float) -> Penalty | None:
    """``weight * E (||grad D(x)|| - 1)^2`` between real and fake (Gulrajani et al. 2017, eq. 3).

    None for a weight of 0, which asks for no penalty.
    """

    def penalty(discriminator: Discriminator, real: Tensor, fake: Tensor) -> Tensor:
        pairs = min(len(real), len(fake))  # few data make a smaller real batch
        real, fake = real[:pairs], fake[:pairs]
        mix = torch.rand(len(real), *[1] * (real.ndim - 1), device=real.device, dtype=real.dtype)
        between = mix * real + (1 - mix) * fake
        if not between.requires_grad:  # fakes bring their graph where the game's Jacobian is taken
            between.requires_grad_()
        loss: Tensor = (
            (_compute_input_gradients(discriminator(between), between).norm(dim=1) - 1)
            .square()
            .mean()
        )
        return weight * loss

    return penalty if weight else None


def build_weight_clipper(bound: float) -> Callable[[nn.Module], None]:
    """Clip every parameter to [-bound, bound] (Arjovsky et al. 2017, algorithm 1)."""

    def clip(discriminator: nn.Module) -> None:
        with torch.no_grad():
            for parameter in discriminator.parameters():
                parameter.clamp_(-bound, bound)

    return clip


def _compute_input_gradients(scores: Tensor, samples: Tensor) -> Tensor:
    """Gradient of each score at what it is a score of, ``(n, D)``, itself differentiable."""
    (slopes,) = torch.autograd.grad(scores.sum(), (samples,), create_graph=True)
    flat: Tensor = slopes.flatten(1)
    if len(scores) == len(samples):
        return flat
    each = len(samples) // len(scores)  # sample i is of pack i % n; those of none have no slope
    packed = flat[: each * len(scores)].reshape(each, len(scores), -1)
    return packed.transpose(0, 1).flatten(1)
