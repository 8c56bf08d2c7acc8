"""Network bodies that variants share."""

from __future__ import annotations

import math

from torch import Tensor, nn

__all__ = ["Scorer", "discriminator_mlp", "generator_mlp"]

SLOPE = 0.2  # of LeakyReLU below zero (Radford et al. 2016, section 4)


class Scorer(nn.Module):
    """Scores of shape ``(B,)`` from a network that ends in one output."""

    def __init__(self, body: nn.Module) -> None:
        """Wrap `body`, which maps ``(B, *shape)`` to ``(B, 1)``."""
        super().__init__()
        self.body = body

    def forward(self, samples: Tensor) -> Tensor:
        """Return one score a sample."""
        scores: Tensor = self.body(samples).squeeze(1)
        return scores


def generator_mlp(latent_size: int, width: int, shape: tuple[int, ...]) -> nn.Sequential:
    """Three linear layers from latents to samples.

    Images, ``(channels, height, width)``, end in tanh; points, ``(d,)``, stay unbounded.
    """
    body = [*_hidden(latent_size, width), nn.Linear(width, math.prod(shape))]
    if len(shape) == 3:
        body += [nn.Tanh(), nn.Unflatten(1, shape)]
    return nn.Sequential(*body)


def discriminator_mlp(
    shape: tuple[int, ...], width: int, before_last: nn.Module | None = None, extra: int = 0
) -> Scorer:
    """Three linear layers from samples to scores.

    Args:
        shape: of a sample.
        width: units of a hidden layer.
        before_last: maps the ``(B, width)`` features to ``(B, width + extra)``.
        extra: features that `before_last` adds.
    """
    middle = [] if before_last is None else [before_last]
    body = [nn.Flatten(), *_hidden(math.prod(shape), width), *middle, nn.Linear(width + extra, 1)]
    return Scorer(nn.Sequential(*body))


def _hidden(inputs: int, width: int) -> list[nn.Module]:
    return [
        nn.Linear(inputs, width),
        nn.LeakyReLU(SLOPE),
        nn.Linear(width, width),
        nn.LeakyReLU(SLOPE),
    ]
