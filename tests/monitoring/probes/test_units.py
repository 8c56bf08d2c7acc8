"""Laws of the units probe: which units no longer take part."""

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


def layer(weight: Tensor, *bias: float) -> nn.Linear:
    """A linear layer with the given weights."""
    made = nn.Linear(weight.shape[1], weight.shape[0])
    made.weight.data, made.bias.data = weight, torch.tensor(bias).float()
    return made


def seen(
    make_snapshot: MakeSnapshot, network: nn.Module, inputs: Tensor, player: str
) -> dict[str, float]:
    """What the probe says of a network on its inputs."""
    asked = ForwardPass(network, lambda: network(inputs))
    asked.record_activations()
    name = {"generator": "fixed_pass", "discriminator": "real_pass"}[player]
    found = Units().observe(make_snapshot(**{player: network, name: asked}))
    return {name: float(value) for name, value in found.items()}


@pytest.mark.parametrize("player", ["generator", "discriminator"])
def test_dead_units_are_counted(make_snapshot: MakeSnapshot, normal: Normal, player: str) -> None:
    """Two of four ReLU units whose biases hold them at 0 are half the layer."""
    network = nn.Sequential(layer(torch.eye(4), 0, -1e3, 0, -1e3), nn.ReLU(), nn.Linear(4, 2))
    assert seen(make_snapshot, network, normal((64, 4)), player) == {f"dead/{player}": 0.5}


def test_constant_unit_is_dead(make_snapshot: MakeSnapshot, normal: Normal) -> None:
    """A unit that says the same to every input is dead also where it does not say 0."""
    weight = torch.tensor([[1.0, 0.0], [0.0, 0.0]])
    network = nn.Sequential(layer(weight, 0, 5), nn.LeakyReLU(0.2))
    assert seen(make_snapshot, network, normal((64, 2)), "discriminator") == {
        "dead/discriminator": 0.5
    }


def test_living_layer_has_no_dead(make_snapshot: MakeSnapshot, normal: Normal) -> None:
    """Units whose outputs vary, however little their size, are alive."""
    for scale in (1e-4, 1.0, 1e4):
        network = nn.Sequential(layer(scale * torch.eye(3), 0, 0, 0), nn.LeakyReLU(0.2))
        assert seen(make_snapshot, network, normal((64, 3)), "generator") == {"dead/generator": 0}


def test_worst_layer_is_shown(make_snapshot: MakeSnapshot, normal: Normal) -> None:
    """One dead layer is not hidden by healthy ones."""
    network = nn.Sequential(
        nn.Linear(4, 4), nn.Tanhshrink(), layer(torch.zeros(4, 4), 0, 0, 0, 0), nn.ReLU(),
        nn.Linear(4, 4), nn.SiLU(),
    )  # fmt: skip
    assert seen(make_snapshot, network, normal((64, 4)), "discriminator")["dead/discriminator"] == 1


@pytest.mark.parametrize(("kind", "edge"), [(nn.Tanh, 2.5), (nn.Sigmoid, 5.0)])
def test_saturation_is_where_slope_dies(
    make_snapshot: MakeSnapshot, kind: type[nn.Module], edge: float
) -> None:
    """Inputs beyond the point at which the slope is 3 % of its maximum count as saturated."""
    inputs = edge * torch.tensor([[-1.1], [-0.9], [0.0], [0.9], [1.1]])
    network = nn.Sequential(layer(torch.eye(1), 0), kind())
    found = seen(make_snapshot, network, inputs, "discriminator")
    assert found["saturated/discriminator"] == pytest.approx(0.4)


def test_output_tanh_is_left_out(make_snapshot: MakeSnapshot, normal: Normal) -> None:
    """Saturated pixels at the generator's output are background, hidden ones a fault."""
    latents = normal((64, 2))
    output = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), layer(100 * torch.eye(2), 0, 0), nn.Tanh())
    assert "saturated/generator" not in seen(make_snapshot, output, latents, "generator")
    hidden = nn.Sequential(layer(100 * torch.eye(2), 0, 0), nn.Tanh(), nn.Linear(2, 2), nn.ReLU())
    assert seen(make_snapshot, hidden, latents, "generator")["saturated/generator"] > 0.9


def test_hooks_are_removed(make_snapshot: MakeSnapshot, normal: Normal) -> None:
    """After a look, also one that failed, no hook is left on the network."""
    network = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    seen(make_snapshot, network, normal((8, 2)), "generator")
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        seen(make_snapshot, network, normal((8, 3)), "generator")
    assert not any(module._forward_hooks for module in network.modules())


def test_nothing_to_look_at(make_snapshot: MakeSnapshot, normal: Normal) -> None:
    """Without inputs, or without activations, there is no signal."""
    assert Units().observe(make_snapshot()) == {}
    assert (
        Units().observe(make_snapshot(network_name="discriminator", real=torch.zeros(4, 2))) == {}
    )
    plain = nn.Linear(2, 2)
    assert seen(make_snapshot, plain, normal((8, 2)), "generator") == {}
