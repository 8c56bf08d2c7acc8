"""Tests of the gradient probe: norms of the stepping network's gradients."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import nn

from gandiag.monitoring.probes.gradient import Gradient
from gandiag.monitoring.snapshot import Snapshot

MakeSnapshot = Callable[..., Snapshot]


def build_network() -> nn.Sequential:
    """Two layers with gradients of norm 3 and 4 at their weights, and none at the biases."""
    network = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 4))
    for layer, size in zip(network, (3.0, 4.0), strict=True):
        assert isinstance(layer, nn.Linear)
        nn.init.ones_(layer.weight)
        nn.init.zeros_(layer.bias)
        layer.weight.grad = torch.zeros_like(layer.weight)
        layer.weight.grad[0, 0] = size
        layer.bias.grad = torch.zeros_like(layer.bias)
    return network


def test_norms_are_known(make_snapshot: MakeSnapshot) -> None:
    """With layer norms 3 and 4, the whole norm is 5 and the ratio of first to last is 0.75."""
    with torch.no_grad():  # as the watch calls it
        found = Gradient().observe(make_snapshot(generator=build_network()))
    expected = {
        "norm/generator": 5.0,
        "parameter_norm/generator": math.sqrt(9 + 12),
        "relative/generator": 5 / math.sqrt(21),
        "first_to_last/generator": 0.75,
        "norm.0.weight/generator": 3.0,
        "norm.1.weight/generator": 4.0,
        "non_finite/generator": 0,
    }
    assert {name: float(value) for name, value in found.items()} == pytest.approx(expected)


def test_gradients_of_the_other_network_are_not_recorded(make_snapshot: MakeSnapshot) -> None:
    """In a step of one network, gradients of the other network are not recorded."""
    other = build_network()
    for name, other_name in (("generator", "discriminator"), ("discriminator", "generator")):
        found = Gradient().observe(make_snapshot(network_name=name, **{other_name: other}))
        assert found == {}


def test_zero_gradient_has_ratio_zero(make_snapshot: MakeSnapshot) -> None:
    """If the gradient of the first layer is exactly 0, so is the ratio of first to last."""
    network = build_network()
    network[0].weight.grad.zero_()  # type: ignore[union-attr, operator]
    found = Gradient().observe(make_snapshot(generator=network))
    assert float(found["first_to_last/generator"]) == 0


def test_nonfinite_are_counted(make_snapshot: MakeSnapshot) -> None:
    """NaN and infinite entries are counted, and the norm is not finite."""
    network = build_network()
    grad = network[1].weight.grad
    assert isinstance(grad, torch.Tensor)
    grad[1, 1], grad[2, 2], grad[0, 1] = torch.nan, torch.inf, -torch.inf
    found = Gradient().observe(make_snapshot(generator=network))
    assert float(found["non_finite/generator"]) == 3
    assert not math.isfinite(float(found["norm/generator"]))


def test_layers_may_be_left_out(make_snapshot: MakeSnapshot) -> None:
    """Without `layers` there are no norms of single weight tensors; all other signals remain."""
    without = Gradient(layers=False).observe(make_snapshot(generator=build_network()))
    complete = Gradient().observe(make_snapshot(generator=build_network()))
    assert {name for name in complete if "norm." not in name} == set(without)


def test_single_layer_has_no_ratio(make_snapshot: MakeSnapshot) -> None:
    """A network with one weight tensor has no ratio of first to last."""
    one = nn.Linear(2, 2)
    one.weight.grad = torch.ones(2, 2)
    assert "first_to_last/generator" not in Gradient().observe(make_snapshot(generator=one))
