"""The types of a GAN: `Objective`, a pair of loss functions, and `GAN`, two networks with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel


class Objective(NamedTuple):
    """The loss functions of both networks. Scores have the shape ``(B,)``.

    Attributes:
        discriminator: ``(real_scores, fake_scores) -> loss``, a 0-dim tensor that D minimises.
        generator: ``fake_scores -> loss``, a 0-dim tensor that G minimises.
        probability: ``scores -> P(real)`` in [0, 1]; None for a critic, because its scores are
            unbounded and have no probability.
    """

    discriminator: Callable[[Tensor, Tensor], Tensor]
    generator: Callable[[Tensor], Tensor]
    probability: Callable[[Tensor], Tensor] | None


@dataclass(frozen=True)
class GAN:
    """Two networks and the losses, penalties and constraints of their training.

    Attributes:
        generator: ``(B, latent_size) -> (B, *shape)``.
        discriminator: ``(B, *shape) -> (B,)`` scores: logits, or the unbounded values of a critic.
            Packing gives fewer scores, see `gandiag.models.networks.PackedDiscriminator`.
        objective: the loss functions of both networks.
        latent_size: number of entries of a latent vector; latents are drawn from N(0, I).
        penalty: ``(discriminator, real, fake) -> loss``, a 0-dim tensor that is added to the
            discriminator's loss, or None. The penalty calls `discriminator` with samples alone.
        constrain: called with the discriminator after each of its steps, as for weight clipping,
            or None.
        classes: number of classes. Both networks take ``(B,)`` int64 labels from 0 to
            ``classes - 1`` as their second argument; 0 for networks without labels.
        averaged: running average of the generator's weights over its steps, or None.
    """

    generator: nn.Module
    discriminator: nn.Module
    objective: Objective
    latent_size: int
    penalty: Callable[[Callable[[Tensor], Tensor], Tensor, Tensor], Tensor] | None = None
    constrain: Callable[[nn.Module], None] | None = None
    classes: int = 0
    averaged: AveragedModel | None = None

    @property
    def evaluated_generator(self) -> nn.Module:
        """The network whose samples are evaluated: `averaged` if there is one, else `generator`."""
        return self.generator if self.averaged is None else self.averaged
