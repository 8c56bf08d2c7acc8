"""Fully connected networks of the variants, and wrappers for labels and packs of samples.

B is the batch size. ``shape`` is the shape of one sample: ``(channels, height, width)`` for images,
``(d,)`` for points.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

NEGATIVE_SLOPE = 0.2  # derivative of LeakyReLU below zero (Radford et al. 2016, section 4)

ActivationName = Literal["leaky_relu", "relu", "tanh", "sigmoid"]

_ACTIVATIONS: Mapping[ActivationName, Callable[[], nn.Module]] = {
    "leaky_relu": lambda: nn.LeakyReLU(NEGATIVE_SLOPE),
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
}


class Scorer(nn.Module):
    """Discriminator with scores of shape ``(B,)``, from a network with one output a sample."""

    def __init__(self, body: nn.Module) -> None:
        """Wrap `body`, which maps ``(B, *shape)`` to ``(B, 1)``."""
        super().__init__()
        self.body = body

    def forward(self, samples: Tensor) -> Tensor:
        """Map ``(B, *shape)`` samples to ``(B,)`` scores."""
        scores: Tensor = self.body(samples).squeeze(1)
        return scores


class PackedDiscriminator(nn.Module):
    """Discriminator with one score for each pack of samples (PacGAN, Lin et al. 2018).

    B samples give n = B // size packs. Pack k joins the samples k, k + n, k + 2n, ... along their
    first axis. Up to size - 1 samples are left over and get no score. A batch that is smaller than
    one pack is repeated.
    """

    def __init__(self, body: nn.Module, size: int) -> None:
        """Wrap `body`, which maps ``(n, size * c, ...)`` to ``(n,)``."""
        super().__init__()
        self.body, self.size = body, size

    def forward(self, samples: Tensor) -> Tensor:
        """Map ``(B, c, ...)`` samples to ``(n,)`` scores."""
        packs = max(len(samples) // self.size, 1)
        if packs * self.size > len(samples):
            samples = samples.repeat(self.size, *[1] * (samples.ndim - 1))
        rows = samples[: packs * self.size].reshape(self.size, packs, *samples.shape[1:])
        scores: Tensor = self.body(rows.transpose(0, 1).flatten(1, 2))
        return scores


class LabelledGenerator(nn.Module):
    """Generator that takes latents and labels (Mirza & Osindero 2014, section 3.2)."""

    def __init__(self, body: nn.Module, classes: int) -> None:
        """Wrap `body`, which takes ``(B, latent_size + classes)``: a latent and a one-hot label."""
        super().__init__()
        self.body, self.classes = body, classes

    def forward(self, latents: Tensor, labels: Tensor) -> Tensor:
        """Map ``(B, latent_size)`` latents and ``(B,)`` int64 labels to ``(B, *shape)`` samples."""
        samples: Tensor = self.body(_append_one_hot(latents, labels, self.classes))
        return samples


class LabelledDiscriminator(nn.Module):
    """Discriminator that takes samples and labels (Mirza & Osindero 2014, section 3.2)."""

    def __init__(self, body: nn.Module, classes: int) -> None:
        """Wrap `body`, which takes ``(B, D + classes)``: D entries and a one-hot label."""
        super().__init__()
        self.body, self.classes = body, classes

    def forward(self, samples: Tensor, labels: Tensor) -> Tensor:
        """Map ``(B, *shape)`` samples and ``(B,)`` int64 labels to ``(B,)`` scores."""
        scores: Tensor = self.body(_append_one_hot(samples.flatten(1), labels, self.classes))
        return scores


def _append_one_hot(rows: Tensor, labels: Tensor, classes: int) -> Tensor:
    return torch.cat([rows, one_hot(labels, classes).to(rows)], 1)


def build_mlp_generator(
    latent_size: int,
    width: int,
    shape: tuple[int, ...],
    depth: int = 2,
    activation: ActivationName = "leaky_relu",
) -> nn.Sequential:
    """Return a fully connected generator, ``(B, latent_size) -> (B, *shape)``.

    Images end in tanh, because their pixels lie in [-1, 1]; points are unbounded.

    Args:
        latent_size: number of entries of a latent vector.
        width: units of each hidden layer.
        shape: shape of one sample.
        depth: number of hidden layers.
        activation: activation after each hidden layer.
    """
    body = [
        *_build_hidden_layers(latent_size, width, depth, activation),
        nn.Linear(width, math.prod(shape)),
    ]
    if len(shape) == 3:
        body += [nn.Tanh(), nn.Unflatten(1, shape)]
    return nn.Sequential(*body)


def build_mlp_discriminator(
    shape: tuple[int, ...],
    width: int,
    before_last: nn.Module | None = None,
    extra: int = 0,
    depth: int = 2,
    activation: ActivationName = "leaky_relu",
) -> Scorer:
    """Return a fully connected discriminator, ``(B, *shape) -> (B,)``, without a sigmoid.

    Args:
        shape: shape of one sample.
        width: units of each hidden layer.
        before_last: layer before the last one, from ``(B, width)`` to ``(B, width + extra)``;
            None for no such layer.
        extra: number of features that `before_last` adds.
        depth: number of hidden layers.
        activation: activation after each hidden layer.
    """
    hidden = _build_hidden_layers(math.prod(shape), width, depth, activation)
    middle = [] if before_last is None else [before_last]
    return Scorer(nn.Sequential(nn.Flatten(), *hidden, *middle, nn.Linear(width + extra, 1)))


def _build_hidden_layers(
    inputs: int, width: int, depth: int, activation: ActivationName
) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for fan_in in (inputs, *[width] * (depth - 1)):
        layers += [nn.Linear(fan_in, width), _ACTIVATIONS[activation]()]
    return layers
