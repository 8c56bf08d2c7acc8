"""Laws of every probe: it returns numbers, and leaves training and random numbers untouched."""

from __future__ import annotations

import dataclasses
import random
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gandiag.models.gan import GAN
from gandiag.monitoring.snapshot import NetworkName, Snapshot
from gandiag.plugins import registry as plugins
from gandiag.plugins.builtin import BUILT_IN

NETWORKS: tuple[NetworkName, ...] = ("discriminator", "generator")

every_probe = pytest.mark.parametrize("name", BUILT_IN["probes"])


def observe(name: str, snapshot: Snapshot) -> Mapping[str, float | Tensor]:
    """The values that a probe returns when it is called as the watch calls it."""
    with torch.no_grad():
        values: Mapping[str, float | Tensor] = plugins.build("probes", name).observe(snapshot)
    return values


def copy_state(snapshot: Snapshot) -> dict[str, Any]:
    """Copies of everything that a probe could change."""
    state: dict[str, Any] = {"torch": torch.get_rng_state(), "random": random.getstate()}
    state["numpy"] = np.random.get_state()[1].copy()  # type: ignore[index]
    for network_name in NETWORKS:
        network: nn.Module = getattr(snapshot, network_name)
        for name, value in network.state_dict().items():
            state[f"{network_name}.{name}"] = value.clone()
        for name, parameter in network.named_parameters():
            gradient = parameter.grad
            state[f"{network_name}.{name}.grad"] = None if gradient is None else gradient.clone()
        for name, module in network.named_modules():
            hooks = (module._forward_hooks, module._forward_pre_hooks, module._backward_hooks)
            state[f"{network_name}.{name}.state"] = (module.training, *map(len, hooks))
    for item in dataclasses.fields(snapshot):
        value = getattr(snapshot, item.name)
        if isinstance(value, Tensor):
            state[item.name] = value.clone()
    return state


@every_probe
def test_probes_change_nothing(name: str, make_snapshot: Callable[..., Snapshot]) -> None:
    """Weights, gradients, buffers, modes, hooks, random states and the snapshot stay the same."""
    for network_name in NETWORKS:
        snapshot = make_snapshot(network_name, digits=name == "classes")
        before = copy_state(snapshot)
        observe(name, snapshot)
        after = copy_state(snapshot)
        assert before.keys() == after.keys()
        for key, value in before.items():
            is_tensor = isinstance(value, Tensor)
            same = torch.equal(value, after[key]) if is_tensor else np.all(value == after[key])
            assert same, (network_name, key)


@every_probe
def test_probes_return_numbers(name: str, make_snapshot: Callable[..., Snapshot]) -> None:
    """Values are named `quantity/network`, are 0- or 1-dimensional, and are the same twice."""
    seen: set[str] = set()
    for network_name in NETWORKS:
        snapshot = make_snapshot(network_name, digits=name == "classes")
        first, second = observe(name, snapshot), observe(name, snapshot)
        assert first.keys() == second.keys()
        for signal, value in first.items():
            assert re.fullmatch(r"[\w.]+/(generator|discriminator)", signal)
            assert isinstance(value, float) or (isinstance(value, Tensor) and value.ndim <= 1)
            both = torch.as_tensor(value), torch.as_tensor(second[signal])
            torch.testing.assert_close(*both, rtol=0, atol=0, equal_nan=True)
        seen |= first.keys()
    assert seen


@every_probe
def test_probes_accept_minimal_snapshots(name: str, build_noisy_gan: Callable[[], GAN]) -> None:
    """A loop that provides only the networks and the current step makes no probe fail."""
    for network_name in NETWORKS:
        gan = build_noisy_gan()
        values = observe(name, Snapshot(0, network_name, gan.generator, gan.discriminator))
        assert isinstance(values, Mapping)
