"""The plain GAN."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from gandiag.models.losses import NON_SATURATING, SATURATING
from gandiag.models.variants.vanilla import Vanilla


def test_option_selects_objective() -> None:
    """The option `objective` selects the loss functions."""
    assert Vanilla().build((2,)).objective is NON_SATURATING
    assert Vanilla("saturating").build((2,)).objective is SATURATING


def test_no_sigmoid_in_discriminator() -> None:
    """The discriminator ends in a linear layer, so that its scores are logits."""
    *_, last = Vanilla().build((1, 28, 28)).discriminator.modules()
    assert isinstance(last, nn.Linear)


def test_r1_is_optional() -> None:
    """By default there is no penalty; R1 is gamma / 2 |w|^2 for a linear discriminator."""
    assert Vanilla().build((2,)).penalty is None
    penalty = Vanilla(r1=2.0).build((2,)).penalty
    assert penalty is not None
    linear = nn.Linear(2, 1)
    linear.weight.data = torch.tensor([[3.0, 4.0]])
    assert penalty(linear, torch.zeros(5, 2), torch.zeros(5, 2)).item() == pytest.approx(25)


def test_hidden_layers_are_two() -> None:
    """Each network has three linear layers with LeakyReLU 0.2 between them."""
    gan = Vanilla(latent_size=3, width=7).build((2,))
    for network, sizes in ((gan.generator, (3, 7, 7, 2)), (gan.discriminator, (2, 7, 7, 1))):
        layers = [m for m in network.modules() if isinstance(m, nn.Linear)]
        assert [layer.in_features for layer in layers] + [layers[-1].out_features] == list(sizes)
        activations = [m for m in network.modules() if isinstance(m, nn.LeakyReLU)]
        assert [layer.negative_slope for layer in activations] == [0.2, 0.2]
