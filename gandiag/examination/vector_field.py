"""The vector field of a GAN's training, and its Jacobian.

Training a GAN is a two-player game: each network moves its own weights down the gradient of its own
loss. Both moves together are the vector field

``v(theta, psi) = (-grad_theta L_G, -grad_psi L_D)``

on fixed samples (Mescheder et al. 2017, equation 2). Its zeros are the stationary points of the
two-player game. The weights of both networks form one vector, those of the generator first.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gandiag.examination.game_state import Batch, GameState
from gandiag.models.gan import GAN

Array = NDArray[np.float64]


def trained_weights(gan: GAN) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Return the weights that require a gradient, of the generator and of the discriminator.

    Raises:
        ValueError: a network has no such weights, for example because all are frozen.
    """
    generator, discriminator = (
        [weight for weight in network.parameters() if weight.requires_grad]
        for network in (gan.generator, gan.discriminator)
    )
    for name, weights in (("generator", generator), ("discriminator", discriminator)):
        if not weights:
            raise ValueError(f"the {name} has no weights that require a gradient")
    return generator, discriminator


def evaluate_field(gan: GAN, batch: Batch) -> Tensor:
    """Return the vector field ``(n,)`` at the networks' weights; no ``.grad`` is changed."""
    return torch.cat(_evaluate_parts(gan, batch, differentiable=False)).detach()


class TransposedJacobian:
    """Products of the transposed Jacobian of the vector field with vectors.

    ``J^T w`` is one backward pass through the graph of the gradients, while ``J w`` would need two.
    The transposed matrix has the same eigenvalues. The gradients are computed once, and their graph
    is kept: the memory is that of a few batches of activations.

    Attributes:
        size: number n of weights of both networks.
        split: number of weights of the generator.
    """

    def __init__(self, gan: GAN, batch: Batch) -> None:
        """Compute the gradients; the networks must not change while this object is used."""
        self._weights = [*trained_weights(gan)[0], *trained_weights(gan)[1]]
        generator, discriminator = _evaluate_parts(gan, batch, differentiable=True)
        self._field = torch.cat([generator, discriminator])
        self.split, self.size = len(generator), len(self._field)

    @classmethod
    def at_state(cls, state: GameState, samples: int, draw: int) -> TransposedJacobian:
        """Return the Jacobian at the networks' weights, in float64.

        Args:
            state: networks and samples.
            samples: number of real and of generated samples.
            draw: seed of the samples.

        Raises:
            ValueError: a network has no weights that require a gradient.
        """
        gan = state.copy_networks(torch.float64)
        batch = state.draw_batch(samples, draw, dtype=torch.float64)
        # Dropout and a penalty's interpolates are drawn once, here: J belongs to one field.
        with state.seeded(draw):
            return cls(gan, batch)

    def multiply(self, vector: Array) -> Array:
        """Return ``J^T w`` for a vector w ``(n,)`` in float64."""
        if not self._field.requires_grad:  # the gradients are constant, so their derivative is 0
            return np.zeros(self.size)
        weight = torch.as_tensor(vector).to(self._field)  # same device and type
        # The graph is kept for the next product. A weight that the field ignores gets 0, not None;
        # torch before 2.9 gives this 0 a gradient of its own, hence detach().
        parts = torch.autograd.grad(
            self._field, self._weights, weight, retain_graph=True, materialize_grads=True
        )
        return _flatten(parts).detach().double().cpu().numpy()

    def multiply_rows(self, vector: Array, generator: bool) -> Array:
        """Return ``(P J)^T w = J^T P w``, where P keeps the rows of one network.

        ``P J`` is the Jacobian of a step in which only this network moves.

        Args:
            vector: ``(n,)`` vector w in float64.
            generator: whether to keep the rows of the generator instead of the discriminator.
        """
        # A copy, as the vector belongs to the caller.
        kept = np.array(vector, dtype=np.float64)
        kept[slice(self.split, None) if generator else slice(None, self.split)] = 0.0
        return self.multiply(kept)


def _evaluate_parts(gan: GAN, batch: Batch, differentiable: bool) -> tuple[Tensor, Tensor]:
    """Return the field's part of the generator and of the discriminator."""
    generator, discriminator = trained_weights(gan)
    fakes = batch.generate_fakes(gan)
    losses = (
        (batch.generator_loss(gan, fakes), generator),
        (batch.discriminator_loss(gan, fakes), discriminator),
    )
    parts = [
        -_flatten(
            torch.autograd.grad(
                loss,
                weights,
                create_graph=differentiable,
                retain_graph=True,  # both losses share the graph of the generated samples
                materialize_grads=True,
            )
        )
        for loss, weights in losses
    ]
    return parts[0], parts[1]


def _flatten(parts: Sequence[Tensor]) -> Tensor:
    return torch.cat([part.reshape(-1) for part in parts])
