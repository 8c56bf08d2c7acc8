"""Penalties on the gradient of the discriminator, and weight clipping.

A penalty is a function ``(discriminator, real, fake) -> loss``. Both batches have the shape
``(B, *shape)``, and the loss is a 0-dim tensor that is added to D's loss. The gradient meant here
is that of a score at its input. The score of a pack has one gradient, at all samples of the pack.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

Discriminator = Callable[[Tensor], Tensor]  # samples (B, *shape) -> scores (B,)
Penalty = Callable[[Discriminator, Tensor, Tensor], Tensor]


def build_r1_penalty(gamma: float) -> Penalty | None:
    """Return ``gamma / 2 * E ||grad D(x)||^2`` on real samples (Mescheder et al. 2018, eq. 9).

    Args:
        gamma: weight of the penalty; 0 returns None, for no penalty.
    """

    def penalty(discriminator: Discriminator, real: Tensor, fake: Tensor) -> Tensor:
        real = real.detach().requires_grad_()
        gradients = _compute_input_gradients(discriminator(real), real)
        return gamma / 2 * gradients.square().sum(1).mean()

    return penalty if gamma else None


def build_gradient_penalty(weight: float) -> Penalty | None:
    """Return ``weight * E (||grad D(x)|| - 1)^2`` (WGAN-GP, Gulrajani et al. 2017, equation 3).

    The points x are uniform on the lines between pairs of a real and a generated sample. Their
    random numbers come from torch's global generator.

    Args:
        weight: weight of the penalty; 0 returns None, for no penalty.
    """

    def penalty(discriminator: Discriminator, real: Tensor, fake: Tensor) -> Tensor:
        pairs = min(len(real), len(fake))  # the real batch is smaller if the data set is
        real, fake = real[:pairs], fake[:pairs]
        # One number a sample, of the batch's own type: in float64 the penalty keeps its precision.
        mix = torch.rand(len(real), *[1] * (real.ndim - 1), device=real.device, dtype=real.dtype)
        between = mix * real + (1 - mix) * fake
        # Instruments differentiate through the generator, too: there, `fake` has a graph already.
        if not between.requires_grad:
            between.requires_grad_()
        gradients = _compute_input_gradients(discriminator(between), between)
        loss: Tensor = (gradients.norm(dim=1) - 1).square().mean()
        return weight * loss

    return penalty if weight else None


def build_weight_clipper(bound: float) -> Callable[[nn.Module], None]:
    """Return a function that clips a network's weights (Arjovsky et al. 2017, algorithm 1).

    Args:
        bound: every parameter, biases included, is clipped to [-bound, bound].
    """

    def clip(discriminator: nn.Module) -> None:
        with torch.no_grad():
            for parameter in discriminator.parameters():
                parameter.clamp_(-bound, bound)

    return clip


def _compute_input_gradients(scores: Tensor, samples: Tensor) -> Tensor:
    """Return the gradient of each score at its input, ``(n, D)``, differentiable by the weights.

    D is the number of entries of a sample, or of a pack of samples.
    """
    # Each score depends on its own row alone, so one backward pass of the sum gives all gradients.
    # (BatchNorm or minibatch features in D mix the rows. The usual implementations accept that.)
    # create_graph=True: the loss is differentiated once more, by D's weights.
    (gradients,) = torch.autograd.grad(scores.sum(), (samples,), create_graph=True)
    flat: Tensor = gradients.flatten(1)
    if len(scores) == len(samples):
        return flat
    # As in `PackedDiscriminator`, sample i belongs to pack i % n. Samples left over have no score.
    each = len(samples) // len(scores)
    packed = flat[: each * len(scores)].reshape(each, len(scores), -1)
    return packed.transpose(0, 1).flatten(1)
