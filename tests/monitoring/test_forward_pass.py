"""Tests of a forward pass that several probes share."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from gandiag.models.gan import GAN
from gandiag.monitoring.forward_pass import ForwardPass

Normal = Callable[..., Tensor]


class CountingNetwork(nn.Module):
    """Counts its calls."""

    def __init__(self) -> None:
        """Start at 0."""
        super().__init__()
        self.layer, self.calls = nn.Sequential(nn.Linear(4, 3), nn.ReLU()), 0

    def forward(self, samples: Tensor) -> Tensor:
        """The output of the layers."""
        self.calls += 1
        output: Tensor = self.layer(samples)
        return output


def test_computed_once_and_on_demand(normal: Normal) -> None:
    """The pass is computed when it is first needed, and only once."""
    network = CountingNetwork()
    forward_pass = ForwardPass(network, lambda: network(normal((8, 4))))
    forward_pass.record_activations()
    assert network.calls == 0
    assert forward_pass.output is forward_pass.output
    assert len(forward_pass.activations) == 1
    assert network.calls == 1


def test_activations_are_computed_on_demand(normal: Normal) -> None:
    """Without `record_activations` no layer has a hook, and activations cost a second pass."""
    network, hooked = CountingNetwork(), []
    network.register_forward_hook(lambda *_: hooked.extend(network.layer[1]._forward_hooks))
    forward_pass = ForwardPass(network, lambda: network(normal((8, 4))))
    assert len(forward_pass.output) == 8
    assert not hooked
    assert len(forward_pass.activations) == len(hooked) == 1
    assert network.calls == 2


def test_calls_are_concatenated(normal: Normal) -> None:
    """Several calls give one output; activations are those of the first call."""
    network = CountingNetwork()
    parts = [normal((5, 4), seed=seed) for seed in range(3)]
    forward_pass = ForwardPass(network, *(lambda part=part: network(part) for part in parts))
    forward_pass.record_activations()
    expected = torch.cat([network.layer(part) for part in parts])
    torch.testing.assert_close(forward_pass.output, expected)
    assert len(forward_pass.activations) == 1
    assert not forward_pass.output.requires_grad


def test_no_side_effects(build_noisy_gan: Callable[[], GAN], normal: Normal) -> None:
    """Buffers, random states and hooks are restored; two passes draw the same dropout."""
    network, latents = build_noisy_gan().generator, normal((8, 4))
    before = {name: buffer.clone() for name, buffer in network.named_buffers()}
    state = torch.get_rng_state()
    outputs = [ForwardPass(network, lambda: network(latents)).output for _ in range(2)]
    assert torch.equal(*outputs)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(buffer, before[name]) for name, buffer in network.named_buffers())
    assert not any(module._forward_hooks for module in network.modules())


def test_each_use_raises_the_error(normal: Normal) -> None:
    """If the pass cannot be computed, each use raises the error."""
    network = CountingNetwork()
    forward_pass = ForwardPass(network, lambda: network(normal((8, 5))))
    for _ in range(2):
        with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
            forward_pass.output  # noqa: B018  # computes the output
