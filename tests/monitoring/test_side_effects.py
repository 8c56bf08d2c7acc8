"""Tests of evaluations without side effects."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gandiag.models.gan import GAN
from gandiag.monitoring.side_effects import without_side_effects

Normal = Callable[..., Tensor]


def test_buffers_are_restored(build_noisy_gan: Callable[[], GAN], normal: Normal) -> None:
    """BatchNorm's running statistics are bit-identical after an evaluation in train mode."""
    network = build_noisy_gan().generator.train()
    before = {name: buffer.clone() for name, buffer in network.named_buffers()}
    with without_side_effects(network):
        network(normal((8, 4)))
        assert not torch.equal(network[1].running_mean, before["1.running_mean"])  # type: ignore[index]
    for name, buffer in network.named_buffers():
        assert torch.equal(buffer, before[name]), name
    assert network.training


def test_replaced_buffers_are_restored() -> None:
    """If a module assigns a new tensor to a buffer, the old tensor itself is restored."""

    class Average(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("mean", torch.zeros(2))

        def forward(self, samples: Tensor) -> Tensor:
            self.mean = 0.9 * self.mean + 0.1 * samples.mean(0)
            return samples - self.mean

    network = Average()
    mean = network.mean
    with without_side_effects(network):
        network(torch.ones(4, 2))
    assert network.mean is mean
    assert torch.equal(mean, torch.zeros(2))


def test_global_generators_are_restored() -> None:
    """The global generators of torch, NumPy and Python continue as without the evaluation."""

    def draws() -> tuple[float, float, float]:
        return float(torch.rand(())), np.random.rand(), random.random()

    for seed in (torch.manual_seed, np.random.seed, random.seed):
        seed(3)
    expected = [draws() for _ in range(3)]
    for seed in (torch.manual_seed, np.random.seed, random.seed):
        seed(3)
    found = []
    for _ in range(3):
        with without_side_effects():
            draws()
        found.append(draws())
    assert found == expected


def test_nested_evaluations(build_noisy_gan: Callable[[], GAN], normal: Normal) -> None:
    """A block around several evaluations has no side effects, and each of them draws as alone."""
    network, latents = build_noisy_gan().generator, normal((8, 4))
    with without_side_effects(network):
        alone = network(latents)
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()  # type: ignore[union-attr]
    with without_side_effects():
        for _ in range(2):
            with without_side_effects(network):
                random.random(), np.random.rand()
                assert torch.equal(network(latents), alone)
    torch_state, *others = states
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert [random.getstate(), np.random.get_state()[1].tolist()] == others  # type: ignore[union-attr]


def test_evaluations_draw_the_same_numbers(
    build_noisy_gan: Callable[[], GAN], normal: Normal
) -> None:
    """Dropout draws the same mask in each evaluation, whatever was drawn in between."""
    network, latents = build_noisy_gan().generator, normal((8, 4))
    outputs = []
    for _ in range(2):
        with without_side_effects(network):
            outputs.append(network(latents))
        torch.rand(5)
    assert torch.equal(*outputs)


def test_no_graph_is_recorded(build_noisy_gan: Callable[[], GAN], normal: Normal) -> None:
    """Outputs of an evaluation have no graph, and no gradient is changed."""
    network = build_noisy_gan().generator
    network(normal((8, 4))).sum().backward()
    before = [parameter.grad.clone() for parameter in network.parameters()]  # type: ignore[union-attr]
    with without_side_effects(network):
        assert not network(normal((8, 4))).requires_grad
    assert torch.is_grad_enabled()
    for parameter, grad in zip(network.parameters(), before, strict=True):
        assert parameter.grad is not None
        assert torch.equal(parameter.grad, grad)


def test_state_is_restored_after_an_error(
    build_noisy_gan: Callable[[], GAN], normal: Normal
) -> None:
    """An evaluation that raises an error restores everything too."""
    network, state = build_noisy_gan().generator, torch.get_rng_state()
    before = {name: buffer.clone() for name, buffer in network.named_buffers()}

    def fail() -> None:
        with without_side_effects(network):
            network(normal((8, 4)))
            network(normal((8, 5)))

    with pytest.raises(RuntimeError, match="shapes"):
        fail()
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(buffer, before[name]) for name, buffer in network.named_buffers())
    assert torch.is_grad_enabled()


def test_spectral_norm_is_restored(normal: Normal) -> None:
    """The vectors of spectral normalisation, which every pass updates, are restored."""
    network = nn.utils.parametrizations.spectral_norm(nn.Linear(4, 3))
    before = {name: buffer.clone() for name, buffer in network.named_buffers()}
    assert before
    with without_side_effects(network):
        network(normal((8, 4)))
    assert all(torch.equal(buffer, before[name]) for name, buffer in network.named_buffers())
