"""Convolutional networks for small images, after DCGAN (Radford et al. 2016)."""

from __future__ import annotations

from torch import nn

from gandiag.models.networks import NEGATIVE_SLOPE, Scorer

WEIGHT_SD = 0.02  # standard deviation of the initial weights (Radford et al. 2016, section 4)


def build_dcgan_generator(
    latent_size: int, width: int, shape: tuple[int, ...], batch_norm: bool = True
) -> nn.Sequential:
    """Return a generator, ``(B, latent_size) -> (B, *shape)``, with values in [-1, 1].

    A linear layer makes an image of ``2 * width`` channels and a quarter of the height and width.
    Two transposed convolutions double height and width each. BatchNorm and ReLU follow each layer
    but the last, which has tanh.

    Args:
        latent_size: number of entries of a latent vector.
        width: channels before the last convolution; the first one has twice as many.
        shape: ``(channels, height, width)``; height and width are divisible by 4.
        batch_norm: whether BatchNorm follows each layer but the last.
    """
    channels, height, breadth = shape
    small = (2 * width, height // 4, breadth // 4)
    body = nn.Sequential(
        # Layers before BatchNorm need no bias: BatchNorm subtracts it again.
        nn.Linear(latent_size, small[0] * small[1] * small[2], bias=not batch_norm),
        nn.Unflatten(1, small),
        *([nn.BatchNorm2d(2 * width)] if batch_norm else []),
        nn.ReLU(),
        nn.ConvTranspose2d(2 * width, width, 4, stride=2, padding=1, bias=not batch_norm),
        *([nn.BatchNorm2d(width)] if batch_norm else []),
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
    """Return a discriminator, ``(B, *shape) -> (B,)``, without a sigmoid.

    Two convolutions halve height and width each, with LeakyReLU after them. A linear layer gives
    the score.

    Args:
        shape: ``(channels, height, width)``; height and width are divisible by 4.
        width: channels after the first convolution; the second one has twice as many.
        before_last: layer before the linear one, from ``(B, n)`` to ``(B, n + extra)`` with n of
            `count_flat_features`; None for no such layer.
        extra: number of features that `before_last` adds.
        batch_norm: whether BatchNorm follows the second convolution. The first one never has
            BatchNorm, as it would destabilise training (Radford et al. 2016, section 3).
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
    # Inserted after apply(), which would overwrite the layer's own initial weights.
    if before_last is not None:
        body.insert(len(body) - 1, before_last)
    return Scorer(body)


def count_flat_features(shape: tuple[int, ...], width: int) -> int:
    """Return the number of features of a sample at the last layer of the discriminator."""
    return 2 * width * (shape[1] // 4) * (shape[2] // 4)


def _initialize_weights(layer: nn.Module) -> None:
    """Draw weights from N(0, 0.02^2) and BatchNorm's factors from N(1, 0.02^2); biases are 0."""
    if isinstance(layer, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.normal_(layer.weight, 0.0, WEIGHT_SD)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
    if isinstance(layer, nn.BatchNorm2d):
        nn.init.normal_(layer.weight, 1.0, WEIGHT_SD)
