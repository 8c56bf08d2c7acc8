"""The game as a vector field: where both players' gradients push their weights, and its Jacobian.

``v(theta, psi) = (-grad_theta L_G, -grad_psi L_D)`` on fixed samples (Mescheder et al. 2017,
equation 2; its sign is that of the motion). Weights are one vector, the generator's first.
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
    """The weights that each player trains, generator and discriminator.

    Raises:
        ValueError: a player trains none, as where all its weights are frozen.
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
    """The vector field at the players' weights, ``(n,)``; no gradient is left anywhere."""
    parts = _evaluate_parts(gan, batch, differentiable=False)
    return torch.cat(parts).detach()


class TransposedJacobian:
    """Products with the transposed Jacobian of the vector field at one point.

    The field is differentiated once and its graph kept, so each product is one backward pass. The
    transpose has the same eigenvalues. Memory is that of a few batches of activations.

    Attributes:
        size: number of weights.
        split: the first one of the discriminator.
    """

    def __init__(self, gan: GAN, batch: Batch) -> None:
        """Differentiate once; the players must not change while this is used."""
        self._weights = [*trained_weights(gan)[0], *trained_weights(gan)[1]]
        generator, discriminator = _evaluate_parts(gan, batch, differentiable=True)
        self._field = torch.cat([generator, discriminator])
        self.split, self.size = len(generator), len(self._field)

    @classmethod
    def at_state(cls, subject: GameState, samples: int, draw: int) -> TransposedJacobian:
        """At a subject's weights, in float64, on a draw of so many samples of each kind.

        Raises:
            ValueError: a player trains no weights.
        """
        gan = subject.copy_networks(torch.float64)
        batch = subject.draw_batch(samples, draw, dtype=torch.float64)
        with subject.seeded(draw):
            return cls(gan, batch)

    def multiply(self, vector: Array) -> Array:
        """``J^T w`` for ``(n,)`` float64 w."""
        if not self._field.requires_grad:  # constant: a game without curvature
            return np.zeros(self.size)
        weight = torch.as_tensor(vector).to(self._field)
        parts = torch.autograd.grad(
            self._field, self._weights, weight, retain_graph=True, materialize_grads=True
        )
        return _flat(parts).double().cpu().numpy()

    def multiply_rows(self, vector: Array, generator: bool) -> Array:
        """``(P J)^T w = J^T P w``, where P keeps the rows of one player: it alone moves."""
        kept = np.array(vector, dtype=np.float64)
        kept[slice(self.split, None) if generator else slice(None, self.split)] = 0.0
        return self.multiply(kept)


def _evaluate_parts(gan: GAN, batch: Batch, differentiable: bool) -> tuple[Tensor, Tensor]:
    generator, discriminator = trained_weights(gan)
    fakes = batch.generate_fakes(gan)
    ahead = (
        (batch.generator_loss(gan, fakes), generator),
        (batch.discriminator_loss(gan, fakes), discriminator),
    )
    pushes = [
        -_flat(
            torch.autograd.grad(
                loss,
                weights,
                create_graph=differentiable,
                retain_graph=True,  # both losses share the fakes
                materialize_grads=True,
            )
        )
        for loss, weights in ahead
    ]
    return pushes[0], pushes[1]


def _flat(parts: Sequence[Tensor]) -> Tensor:
    return torch.cat([part.reshape(-1) for part in parts])
