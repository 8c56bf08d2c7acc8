"""Laws of a forward pass that several ask for."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from gandiag.models.gan import GAN
from gandiag.monitoring.forward_pass import ForwardPass

Normal = Callable[..., Tensor]


class Counting(nn.Module):
    """Counts how often it is asked."""

    def __init__(self) -> None:
        """Count from 0."""
        super().__init__()
        self.layer, self.asked = nn.Sequential(nn.Linear(4, 3), nn.ReLU()), 0

    def forward(self, samples: Tensor) -> Tensor:
        """The layers' answer."""
        self.asked += 1
        made: Tensor = self.layer(samples)
        return made


def test_made_once_and_only_if_asked(normal: Normal) -> None:
    """Nothing is computed before somebody asks, and then once for all."""
    network = Counting()
    asked = ForwardPass(network, lambda: network(normal((8, 4))))
    asked.record_activations()
    assert network.asked == 0
    assert asked.output is asked.output
    assert len(asked.activations) == 1
    assert network.asked == 1


def test_activations_are_looked_at_on_demand(normal: Normal) -> None:
    """Without a word that they will be asked for no layer is hooked, and they cost a pass."""
    network, hooked = Counting(), []
    network.register_forward_hook(lambda *_: hooked.extend(network.layer[1]._forward_hooks))
    asked = ForwardPass(network, lambda: network(normal((8, 4))))
    assert len(asked.output) == 8
    assert not hooked
    assert len(asked.activations) == len(hooked) == 1
    assert network.asked == 2


def test_calls_are_joined(normal: Normal) -> None:
    """Several calls give one output; activations are those of the first."""
    network = Counting()
    parts = [normal((5, 4), seed=seed) for seed in range(3)]
    asked = ForwardPass(network, *(lambda part=part: network(part) for part in parts))
    asked.record_activations()
    expected = torch.cat([network.layer(part) for part in parts])
    torch.testing.assert_close(asked.output, expected)
    assert len(asked.activations) == 1
    assert not asked.output.requires_grad


def test_no_trace(build_noisy_gan: Callable[[], GAN], normal: Normal) -> None:
    """Buffers, random numbers and hooks are as before, and two passes draw the same dropout."""
    network, latents = build_noisy_gan().generator, normal((8, 4))
    before = {name: buffer.clone() for name, buffer in network.named_buffers()}
    state = torch.get_rng_state()
    outputs = [ForwardPass(network, lambda: network(latents)).output for _ in range(2)]
    assert torch.equal(*outputs)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(buffer, before[name]) for name, buffer in network.named_buffers())
    assert not any(module._forward_hooks for module in network.modules())


def test_failure_is_told_to_each(normal: Normal) -> None:
    """Whoever asks for what cannot be computed is told so."""
    network = Counting()
    asked = ForwardPass(network, lambda: network(normal((8, 5))))
    for _ in range(2):
        with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
            asked.output  # noqa: B018  # to ask is all
