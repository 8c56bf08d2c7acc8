"""Laws of every variant: the shapes of what it builds, and its seed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from gandiag import plugins
from gandiag.gan import GAN

SHAPES = [(1, 28, 28), (3, 32, 32), (2,)]
every_variant = pytest.mark.parametrize("name", plugins.BUILT_IN["variants"])
every_shape = pytest.mark.parametrize("shape", SHAPES)


def build(name: str, shape: tuple[int, ...], seed: int = 0) -> GAN:
    """A variant's GAN from a seed."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        gan: GAN = plugins.build("variants", name).build(shape)
    return gan


@every_variant
@every_shape
def test_shapes_fit(name: str, shape: tuple[int, ...], normal: Callable[..., Tensor]) -> None:
    """Latents become samples of the shape, and samples one finite score each."""
    gan = build(name, shape)
    fakes = gan.generator(normal((6, gan.latent_size)))
    assert fakes.shape == (6, *shape)
    scores = gan.discriminator(fakes)
    assert scores.shape == (6,)
    assert scores.isfinite().all()


@every_variant
@every_shape
def test_seed_fixes_weights(name: str, shape: tuple[int, ...]) -> None:
    """The same seed gives the same weights, and another seed gives others."""
    first, again, other = (build(name, shape, seed) for seed in (0, 0, 1))
    for player in ("generator", "discriminator"):
        weights = [getattr(gan, player).state_dict() for gan in (first, again, other)]
        assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])
        assert not all(torch.equal(weights[0][key], weights[2][key]) for key in weights[0])


@every_variant
def test_signal_reaches_first_layer(name: str, normal: Callable[..., Tensor]) -> None:
    """At the start, both losses have a gradient at every weight of the player that learns."""
    gan = build(name, (2,))
    real, fake = normal((8, 2)), gan.generator(normal((8, gan.latent_size)))
    gan.objective.generator(gan.discriminator(fake)).backward()
    gan.discriminator.zero_grad()
    loss = gan.objective.discriminator(gan.discriminator(real), gan.discriminator(fake.detach()))
    loss.backward()
    for network in (gan.generator, gan.discriminator):
        for key, weight in network.named_parameters():
            if not key.endswith("body.4.bias"):  # a critic's loss does not see a constant
                assert weight.grad is not None
                assert weight.grad.abs().sum() > 0 or key.endswith("bias")
