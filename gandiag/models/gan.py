"""Noun 2: the game. What it is played with (`Data`), for (`Objective`) and by whom (`GAN`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel


class Objective(NamedTuple):
    """The pair of functions that the players minimise.

    Attributes:
        discriminator: ``(real_scores, fake_scores) -> loss``, a 0-dim tensor.
        generator: ``fake_scores -> loss``, a 0-dim tensor.
        probability: ``scores -> P(real)`` in [0, 1]; None for a critic, whose score has no such
            reading.
    """

    discriminator: Callable[[Tensor, Tensor], Tensor]
    generator: Callable[[Tensor], Tensor]
    probability: Callable[[Tensor], Tensor] | None


@dataclass(frozen=True)
class GAN:
    """Two networks and the game between them.

    Attributes:
        generator: ``(B, latent_size) -> (B, *shape)``.
        discriminator: ``(B, *shape) -> (B,)`` scores: logits, or a critic's unbounded values. Of
            packed samples there are fewer, see `gandiag.models.networks.PackedDiscriminator`.
        objective: what each player minimises.
        latent_size: length of a latent vector; latents are drawn from N(0, I).
        penalty: ``(discriminator, real, fake) -> loss`` added to the discriminator's loss, or None;
            it calls the discriminator with samples alone.
        constrain: called with the discriminator after each of its steps, or None (weight clipping).
        classes: labels 0 to classes - 1, ``(B,)`` int64, are the second argument of both networks;
            0 for networks that take none.
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
        """The generator whose samples are shown and judged: the averaged one where there is one."""
        return self.generator if self.averaged is None else self.averaged
