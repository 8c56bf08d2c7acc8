"""Forward passes that leave no trace in the networks or in anybody's random numbers."""

from __future__ import annotations

import functools
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn

__all__ = ["undisturbed"]


@contextmanager
def undisturbed(*networks: nn.Module) -> Iterator[None]:
    """Run forward passes that leave no trace: no graph, same buffers, same random state after.

    Random layers (dropout, noise) draw from a stream that starts anew each time, so that two looks
    at the same weights agree. SyncBatchNorm normalises by this process's batch alone: to ask the
    other ranks would hang where they are not looking.
    """
    modules = {module for network in networks for module in network.modules()}
    held = [(m, dict(m._buffers)) for m in modules if m._buffers]  # a module may replace a buffer
    buffers = [(b, b.clone()) for _, named in held for b in named.values() if b is not None]
    state, numpy_state = torch.get_rng_state(), np.random.get_state()
    python_state = random.getstate()
    cuda = [torch.device("cuda", i) for i in _cuda_devices(networks)]
    cuda_states = [torch.cuda.get_rng_state(device) for device in cuda]
    synced = [(m, dict(vars(m))) for m in modules if isinstance(m, nn.SyncBatchNorm)]
    try:
        for synced_module, _ in synced:
            alone = functools.partial(nn.BatchNorm1d.forward, synced_module)
            vars(synced_module)["forward"] = alone
        torch.default_generator.manual_seed(0)
        for device in cuda:
            torch.cuda.default_generators[device.index].manual_seed(0)
        with torch.no_grad():
            yield
    finally:
        torch.set_rng_state(state)
        for device, cuda_state in zip(cuda, cuda_states, strict=True):
            torch.cuda.set_rng_state(cuda_state, device)
        np.random.set_state(numpy_state)
        random.setstate(python_state)
        for module, named in held:
            module._buffers.update(named)
        for synced_module, attributes in synced:
            vars(synced_module).clear()
            vars(synced_module).update(attributes)
        for buffer, saved in buffers:
            buffer.copy_(saved)


def _cuda_devices(networks: Sequence[nn.Module]) -> list[int]:
    if not torch.cuda.is_initialized():  # type: ignore[no-untyped-call]  # torch leaves it untyped
        return []
    tensors = (parameter for network in networks for parameter in network.parameters())
    return sorted({tensor.device.index or 0 for tensor in tensors if tensor.is_cuda})
