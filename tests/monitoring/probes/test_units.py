"""Tests of the units probe: dead and saturated units."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from gandiag.monitoring.forward_pass import ForwardPass
from gandiag.monitoring.probes.units import Units
from gandiag.monitoring.snapshot import Snapshot

MakeSnapshot = Callable[..., Snapshot]
Normal = Callable[..., Tensor]


def linear(weight: Tensor, *bias: float) -> nn.Linear:
    """A linear layer with the given weights."""
    layer = nn.Linear(weight.shape[1], weight.shape[0])
    layer.weight.data, layer.bias.data = weight, torch.tensor(bias).float()
    return layer


def measure(
    make_snapshot: MakeSnapshot, network: nn.Module, inputs: Tensor, name: str
) -> dict[str, float]:
    """The probe's numbers for a network on given inputs."""
    forward_pass = ForwardPass(network, lambda: network(inputs))
    forward_pass.record_activations()
    field = {"generator": "fixed_pass", "discriminator": "real_pass"}[name]
    found = Units().observe(make_snapshot(**{name: network, field: forward_pass}))
    return {signal: float(value) for signal, value in found.items()}


@pytest.mark.parametrize("name", ["generator", "discriminator"])
def test_dead_units_are_counted(make_snapshot: MakeSnapshot, normal: Normal, name: str) -> None:
    """Two of four ReLU units with large negative biases are half of the layer."""
    network = nn.Sequential(linear(torch.eye(4), 0, -1e3, 0, -1e3), nn.ReLU(), nn.Linear(4, 2))
    assert measure(make_snapshot, network, normal((64, 4)), name) == {f"dead/{name}": 0.5}


def test_constant_unit_is_dead(make_snapshot: MakeSnapshot, normal: Normal) -> None:
    """A unit with a constant output is dead, even if the output is not 0."""
    weight = torch.tensor([[1.0, 0.0], [0.0, 0.0]])
    network = nn.Sequential(linear(weight, 0, 5), nn.LeakyReLU(0.2))
    assert measure(make_snapshot, network, normal((64, 2)), "discriminator") == {
        "dead/discriminator": 0.5
    }


def test_varying_units_are_not_dead(make_snapshot: MakeSnapshot, normal: Normal) -> None:
    """Units whose outputs vary are not dead, however small the outputs are."""
    for scale in (1e-4, 1.0, 1e4):
        network = nn.Sequential(linear(scale * torch.eye(3), 0, 0, 0), nn.LeakyReLU(0.2))
        assert measure(make_snapshot, network, normal((64, 3)), "generator") == {
            "dead/generator": 0
        }


def test_worst_layer_is_recorded(make_snapshot: MakeSnapshot, normal: Normal) -> None:
    """The share is that of the layer with the most dead units."""
    network = nn.Sequential(
        nn.Linear(4, 4), nn.Tanhshrink(), linear(torch.zeros(4, 4), 0, 0, 0, 0), nn.ReLU(),
        nn.Linear(4, 4), nn.SiLU(),
    )  # fmt: skip
    assert (
        measure(make_snapshot, network, normal((64, 4)), "discriminator")["dead/discriminator"] == 1
    )


@pytest.mark.parametrize(("activation", "edge"), [(nn.Tanh, 2.5), (nn.Sigmoid, 5.0)])
def test_saturation_depends_on_the_derivative(
    make_snapshot: MakeSnapshot, activation: type[nn.Module], edge: float
) -> None:
    """Inputs beyond the point where the derivative is 3 % of its maximum count as saturated."""
    inputs = edge * torch.tensor([[-1.1], [-0.9], [0.0], [0.9], [1.1]])
    network = nn.Sequential(linear(torch.eye(1), 0), activation())
    found = measure(make_snapshot, network, inputs, "discriminator")
    assert found["saturated/discriminator"] == pytest.approx(0.4)


def test_output_tanh_is_left_out(make_snapshot: MakeSnapshot, normal: Normal) -> None:
    """Saturated pixels of the generator's output do not count, saturated hidden units do."""
    latents = normal((64, 2))
    output = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), linear(100 * torch.eye(2), 0, 0), nn.Tanh())
    assert "saturated/generator" not in measure(make_snapshot, output, latents, "generator")
    hidden = nn.Sequential(linear(100 * torch.eye(2), 0, 0), nn.Tanh(), nn.Linear(2, 2), nn.ReLU())
    assert measure(make_snapshot, hidden, latents, "generator")["saturated/generator"] > 0.9


def test_hooks_are_removed(make_snapshot: MakeSnapshot, normal: Normal) -> None:
    """After an evaluation, even a failed one, no hook is left on the network."""
    network = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    measure(make_snapshot, network, normal((8, 2)), "generator")
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        measure(make_snapshot, network, normal((8, 3)), "generator")
    assert not any(module._forward_hooks for module in network.modules())


def test_no_signal_without_activations(make_snapshot: MakeSnapshot, normal: Normal) -> None:
    """Without inputs, or without activations, there is no signal."""
    assert Units().observe(make_snapshot()) == {}
    assert (
        Units().observe(make_snapshot(network_name="discriminator", real=torch.zeros(4, 2))) == {}
    )
    plain = nn.Linear(2, 2)
    assert measure(make_snapshot, plain, normal((8, 2)), "generator") == {}
