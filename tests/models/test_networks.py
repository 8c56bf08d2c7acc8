"""The fully connected networks and the wrappers around them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from gandiag.models.networks import (
    ActivationName,
    PackedDiscriminator,
    Scorer,
    build_mlp_discriminator,
    build_mlp_generator,
)

SHAPES = [(1, 28, 28), (3, 32, 32), (2,), (1,)]
Normal = Callable[..., Tensor]


@pytest.mark.parametrize("shape", SHAPES)
def test_samples_have_shape(shape: tuple[int, ...], normal: Normal) -> None:
    """A generator returns one sample of the given shape for each latent vector."""
    assert build_mlp_generator(5, 7, shape)(normal((3, 5))).shape == (3, *shape)


@pytest.mark.parametrize("shape", SHAPES)
def test_scores_are_flat(shape: tuple[int, ...], normal: Normal) -> None:
    """A discriminator returns one score for each sample, also for a batch of one."""
    discriminator = build_mlp_discriminator(shape, 7)
    for batch in (1, 3):
        assert discriminator(normal((batch, *shape))).shape == (batch,)


def test_images_are_bounded(normal: Normal) -> None:
    """Images are in [-1, 1] even for huge latents, and points are unbounded."""
    images = build_mlp_generator(5, 7, (1, 4, 4))(1e3 * normal((50, 5)))
    points = build_mlp_generator(5, 7, (2,))(1e3 * normal((50, 5)))
    assert images.abs().max() <= 1
    assert points.abs().max() > 1


def test_scores_are_unbounded(normal: Normal) -> None:
    """Scores are logits, not probabilities: they exceed 1."""
    discriminator = build_mlp_discriminator((2,), 7)
    assert discriminator(1e6 * normal((50, 2))).abs().max() > 1


def test_scores_are_independent_of_batch(normal: Normal) -> None:
    """Without a batch layer, a sample's score does not depend on its batch."""
    discriminator, samples = build_mlp_discriminator((2,), 7), normal((6, 2))
    alone = torch.cat([discriminator(sample[None]) for sample in samples])
    torch.testing.assert_close(discriminator(samples), alone)


def test_known_weights_give_known_scores() -> None:
    """With identity weights and zero biases, the scores can be computed by hand."""
    discriminator = build_mlp_discriminator((2,), 2)
    for layer in discriminator.modules():
        if isinstance(layer, nn.Linear):
            nn.init.zeros_(layer.bias)
            nn.init.ones_(layer.weight) if layer.out_features == 1 else nn.init.eye_(layer.weight)
    scores = discriminator(torch.tensor([[1.0, 2.0], [-1.0, 5.0]]))
    torch.testing.assert_close(scores, torch.tensor([3.0, 5 - 0.2**2]))


def test_before_last_widens(normal: Normal) -> None:
    """The last layer takes the features that `before_last` adds."""

    class Double(nn.Module):
        def forward(self, features: Tensor) -> Tensor:
            return torch.cat([features, features], 1)

    assert build_mlp_discriminator((2,), 7, Double(), extra=7)(normal((4, 2))).shape == (4,)


def test_scorer_takes_one_column(normal: Normal) -> None:
    """A scorer removes the last axis of its body's output, and no other."""
    torch.testing.assert_close(Scorer(nn.Identity())(torch.ones(1, 1)), torch.ones(1))


@pytest.mark.parametrize(("batch", "packs"), [(6, 3), (7, 3), (2, 1), (1, 1)])
def test_packs_are_strided(batch: int, packs: int) -> None:
    """Pack k of n joins the samples k and k + n; a single sample is joined with itself."""
    seen: list[Tensor] = []

    class Spy(nn.Module):
        def forward(self, rows: Tensor) -> Tensor:
            seen.append(rows)
            return rows.sum(1)

    samples = torch.arange(batch)[:, None].repeat(1, 2).float()
    assert PackedDiscriminator(Spy(), 2)(samples).shape == (packs,)
    mates = [k % batch for k in range(packs, 2 * packs)]
    assert seen[0].tolist() == [[k, k, m, m] for k, m in zip(range(packs), mates, strict=True)]


def test_images_are_packed_by_channel(normal: Normal) -> None:
    """A pack of images is one image with the channels of all its members."""
    images, seen = normal((4, 3, 2, 2)), []

    class Spy(nn.Module):
        def forward(self, packs: Tensor) -> Tensor:
            seen.append(packs)
            return packs.flatten(1).sum(1)

    PackedDiscriminator(Spy(), 2)(images)
    assert torch.equal(seen[0][1], torch.cat([images[1], images[3]]))


@pytest.mark.parametrize("depth", [1, 2, 5])
@pytest.mark.parametrize(
    ("activation", "layer_type"),
    [("leaky_relu", nn.LeakyReLU), ("relu", nn.ReLU), ("tanh", nn.Tanh), ("sigmoid", nn.Sigmoid)],
)
def test_depth_and_activation_are_options(
    depth: int, activation: ActivationName, layer_type: type[nn.Module]
) -> None:
    """Both networks have `depth` hidden layers, each with the given activation."""
    for network in (
        build_mlp_generator(5, 7, (2,), depth, activation),
        build_mlp_discriminator((2,), 7, depth=depth, activation=activation),
    ):
        layers = list(network.modules())
        assert sum(isinstance(layer, layer_type) for layer in layers) == depth
        assert sum(isinstance(layer, nn.Linear) for layer in layers) == depth + 1
