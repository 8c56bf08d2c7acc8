"""Laws of the gradient probe: norms of the acting player's gradients."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import nn

from gandiag.monitoring.probes.gradient import Gradient
from gandiag.monitoring.snapshot import Snapshot

MakeSnapshot = Callable[..., Snapshot]


def network() -> nn.Sequential:
    """Two layers with gradients of norm 3 and 4 at their weights, and none at the biases."""
    made = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 4))
    for layer, size in zip(made, (3.0, 4.0), strict=True):
        assert isinstance(layer, nn.Linear)
        nn.init.ones_(layer.weight)
        nn.init.zeros_(layer.bias)
        layer.weight.grad = torch.zeros_like(layer.weight)
        layer.weight.grad[0, 0] = size
        layer.bias.grad = torch.zeros_like(layer.bias)
    return made


def test_norms_are_known(make_snapshot: MakeSnapshot) -> None:
    """With layer norms 3 and 4 the whole norm is 5, and the ratio of first to last 0.75."""
    with torch.no_grad():  # as the watch calls it
        seen = Gradient().observe(make_snapshot(generator=network()))
    expected = {
        "norm/generator": 5.0,
        "parameter_norm/generator": math.sqrt(9 + 12),
        "relative/generator": 5 / math.sqrt(21),
        "first_to_last/generator": 0.75,
        "norm.0.weight/generator": 3.0,
        "norm.1.weight/generator": 4.0,
        "non_finite/generator": 0,
    }
    assert {name: float(value) for name, value in seen.items()} == pytest.approx(expected)


def test_other_player_is_not_read(make_snapshot: MakeSnapshot) -> None:
    """At one player's turn, the other's gradients are not its own and not shown."""
    other = network()
    for player, fields in (("generator", "discriminator"), ("discriminator", "generator")):
        seen = Gradient().observe(make_snapshot(network_name=player, **{fields: other}))
        assert seen == {}


def test_dead_layer_shows(make_snapshot: MakeSnapshot) -> None:
    """A gradient that is exactly 0 in the first layer gives a ratio of 0."""
    dying = network()
    dying[0].weight.grad.zero_()  # type: ignore[union-attr, operator]
    seen = Gradient().observe(make_snapshot(generator=dying))
    assert float(seen["first_to_last/generator"]) == 0


def test_nonfinite_are_counted(make_snapshot: MakeSnapshot) -> None:
    """NaN and infinite entries are counted, and the norms show them."""
    blown = network()
    grad = blown[1].weight.grad
    assert isinstance(grad, torch.Tensor)
    grad[1, 1], grad[2, 2], grad[0, 1] = torch.nan, torch.inf, -torch.inf
    seen = Gradient().observe(make_snapshot(generator=blown))
    assert float(seen["non_finite/generator"]) == 3
    assert not math.isfinite(float(seen["norm/generator"]))


def test_layers_may_be_left_out(make_snapshot: MakeSnapshot) -> None:
    """Without `layers` there is no signal by weight tensor, and the others stay."""
    few = Gradient(layers=False).observe(make_snapshot(generator=network()))
    many = Gradient().observe(make_snapshot(generator=network()))
    assert {name for name in many if "norm." not in name} == set(few)


def test_single_layer_has_no_ratio(make_snapshot: MakeSnapshot) -> None:
    """A network of one weight tensor has no first-to-last ratio."""
    one = nn.Linear(2, 2)
    one.weight.grad = torch.ones(2, 2)
    assert "first_to_last/generator" not in Gradient().observe(make_snapshot(generator=one))
