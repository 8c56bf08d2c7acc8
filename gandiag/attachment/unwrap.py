"""What frameworks wrap around networks and optimizers, and what is inside."""

from __future__ import annotations

from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer


def inner_network(network: nn.Module) -> nn.Module:
    """The network inside DistributedDataParallel; any other network itself.

    To call the wrapper would send buffers from rank to rank; what is inside computes the same.
    """
    while isinstance(network, DistributedDataParallel):
        network = network.module
    return network


def inner_optimizer(optimizer: Optimizer) -> Optimizer:
    """The optimizer that takes the steps, and has their hooks.

    Accelerate's, Lightning's and Fabric's wrappers keep it under ``optimizer``; none of them is
    imported for that.
    """
    inner = getattr(optimizer, "optimizer", None)
    return inner_optimizer(inner) if isinstance(inner, Optimizer) else optimizer
