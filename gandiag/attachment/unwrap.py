"""Removes the wrappers that frameworks put around networks and optimizers."""

from __future__ import annotations

from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer


def inner_network(network: nn.Module) -> nn.Module:
    """The network inside DistributedDataParallel; any other network itself.

    A call of the wrapper would send its buffers from rank to rank. The inner network computes the
    same output without communication.
    """
    while isinstance(network, DistributedDataParallel):
        network = network.module
    return network


def inner_optimizer(optimizer: Optimizer) -> Optimizer:
    """The optimizer inside a framework's wrapper; any other optimizer itself.

    Hooks must be registered on the optimizer that steps. The wrappers of Accelerate, Lightning and
    Fabric keep it in their attribute ``optimizer``, so that none of them needs to be imported.
    """
    inner = getattr(optimizer, "optimizer", None)
    return inner_optimizer(inner) if isinstance(inner, Optimizer) else optimizer
