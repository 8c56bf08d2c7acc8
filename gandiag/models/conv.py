"""Convolutional bodies for small images."""

from __future__ import annotations

from torch import nn

from gandiag.models.networks import NEGATIVE_SLOPE, Scorer

WEIGHT_SD = 0.02  # of the initial weights (Radford et al. 2016, section 4)


def build_dcgan_generator(latent_size: int, width: int, shape: tuple[int, ...]) -> nn.Sequential:
    """A linear layer and two transposed convolutions, BatchNorm and ReLU between them, tanh last.

    Args:
        latent_size: entries of a latent.
        width: channels before the last convolution; twice as many before the first.
        shape: ``(channels, height, width)``, height and width divisible by 4.
    """
    channels, height, breadth = shape
    small = (2 * width, height // 4, breadth // 4)
    body = nn.Sequential(
        nn.Linear(latent_size, small[0] * small[1] * small[2], bias=False),
        nn.Unflatten(1, small),
        nn.BatchNorm2d(2 * width),
        nn.ReLU(),
        nn.ConvTranspose2d(2 * width, width, 4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.ConvTranspose2d(width, channels, 4, stride=2, padding=1),
        nn.Tanh(),
    )
    return body.apply(_initialize_weights)


def build_dcgan_discriminator(
    shape: tuple[int, ...],
    width: int,
    before_last: nn.Module | None = None,
    extra: int = 0,
    batch_norm: bool = False,
) -> Scorer:
    """Two strided convolutions with LeakyReLU, and a linear layer.

    Args:
        shape: ``(channels, height, width)``, height and width divisible by 4.
        width: channels after the first convolution; twice as many after the second.
        before_last: adds `extra` features to the flattened ones, of which there are
            `count_flat_features`.
        extra: features that `before_last` adds.
        batch_norm: after the second convolution; never at D's input (Radford et al. 2016).
    """
    body = nn.Sequential(
        nn.Conv2d(shape[0], width, 4, stride=2, padding=1),
        nn.LeakyReLU(NEGATIVE_SLOPE),
        nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),
        *([nn.BatchNorm2d(2 * width)] if batch_norm else []),
        nn.LeakyReLU(NEGATIVE_SLOPE),
        nn.Flatten(),
        nn.Linear(count_flat_features(shape, width) + extra, 1),
    ).apply(_initialize_weights)
    if before_last is not None:  # it has an initialisation of its own
        body.insert(len(body) - 1, before_last)
    return Scorer(body)


def count_flat_features(shape: tuple[int, ...], width: int) -> int:
    """How many features the discriminator's last layer sees of a sample."""
    return 2 * width * (shape[1] // 4) * (shape[2] // 4)


def _initialize_weights(layer: nn.Module) -> None:
    if isinstance(layer, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.normal_(layer.weight, 0.0, WEIGHT_SD)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
    if isinstance(layer, nn.BatchNorm2d):
        nn.init.normal_(layer.weight, 1.0, WEIGHT_SD)
