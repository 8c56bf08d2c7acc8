"""The types of a GAN: `Objective`, a pair of loss functions, and `GAN`, two networks with it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from gandiag.plugins.errors import BadInput
from gandiag.plugins.fence import PluginFailed, call_plugin, is_own

if TYPE_CHECKING:
    from gandiag.plugins.protocols import Variant


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


TRIED_SAMPLES = 64  # of the trial of a third-party GAN; divisible by the usual sizes of packs


def build_gan(variant: Variant, shape: tuple[int, ...], place: str) -> GAN:
    """Build a variant's GAN, and try what a third-party one returns.

    Args:
        variant: the variant.
        shape: shape of one sample.
        place: where the variant was chosen, for messages.

    Raises:
        BadInput: a third-party variant has raised an exception, or its networks do not fit the
            samples.
    """
    if is_own(variant):
        return variant.build(shape)
    try:
        gan = call_plugin(variant, lambda: variant.build(shape), GAN)
        call_plugin(variant, lambda: _try_networks(gan, shape), object)
    except PluginFailed as error:
        raise BadInput(place, f"cannot be built: {error}") from error
    return gan


def _try_networks(gan: GAN, shape: tuple[int, ...]) -> None:
    """Pass a few samples through copies of both networks; no random state changes.

    Raises:
        ValueError: the generator's samples have another shape.
        Exception: whatever the networks raise.
    """
    generator, discriminator = copy.deepcopy((gan.generator, gan.discriminator))
    with torch.random.fork_rng([]), torch.no_grad():
        labels = [torch.zeros(TRIED_SAMPLES, dtype=torch.int64)] if gan.classes else []
        samples = generator(torch.randn(TRIED_SAMPLES, gan.latent_size), *labels)
        if samples.shape != (TRIED_SAMPLES, *shape):
            raise ValueError(f"samples of the shape {tuple(samples.shape[1:])}, not {shape}")
        discriminator(samples, *labels)
