"""Forward passes that leave no trace in the networks or in anybody's random numbers."""

from __future__ import annotations

import functools
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np
import torch
from torch import nn

_kept = ContextVar("_kept", default=False)  # whether the global generators will be restored


@contextmanager
def without_side_effects(*networks: nn.Module) -> Iterator[None]:
    """Run forward passes that leave no trace: no graph, same buffers, same random state after.

    Random layers (dropout, noise) draw from a stream that starts anew each time, so that two looks
    at the same weights agree. SyncBatchNorm normalises by this process's batch alone: to ask the
    other ranks would hang where they are not looking.
    """
    modules = {module for network in networks for module in network.modules()}
    held = [(m, dict(m._buffers)) for m in modules if m._buffers]  # a module may replace a buffer
    buffers = [(b, b.clone()) for _, named in held for b in named.values() if b is not None]
    cuda = [torch.device("cuda", i) for i in _cuda_devices(networks)]
    cuda_states = [torch.cuda.get_rng_state(device) for device in cuda]
    synced = [(m, dict(vars(m))) for m in modules if isinstance(m, nn.SyncBatchNorm)]
    try:
        for synced_module, _ in synced:
            alone = functools.partial(nn.BatchNorm1d.forward, synced_module)
            vars(synced_module)["forward"] = alone
        for device in cuda:
            torch.cuda.default_generators[device.index].manual_seed(0)
        with _own_random_numbers(), torch.no_grad():
            yield
    finally:
        for device, cuda_state in zip(cuda, cuda_states, strict=True):
            torch.cuda.set_rng_state(cuda_state, device)
        for module, named in held:
            module._buffers.update(named)
        for synced_module, attributes in synced:
            vars(synced_module).clear()
            vars(synced_module).update(attributes)
        for buffer, saved in buffers:
            buffer.copy_(saved)


@contextmanager
def _own_random_numbers() -> Iterator[None]:
    """Draw from streams of one's own; a look within a look only begins anew.

    To save and restore the global generators takes 210 us, of which numpy's takes 180.
    """
    if _kept.get():
        torch.default_generator.manual_seed(0)
        yield
        return
    state, numpy_state = torch.get_rng_state(), np.random.get_state()
    python_state, token = random.getstate(), _kept.set(True)
    torch.default_generator.manual_seed(0)
    try:
        yield
    finally:
        _kept.reset(token)
        torch.set_rng_state(state)
        np.random.set_state(numpy_state)
        random.setstate(python_state)


def _cuda_devices(networks: Sequence[nn.Module]) -> list[int]:
    if not torch.cuda.is_initialized():  # type: ignore[no-untyped-call]  # torch leaves it untyped
        return []
    tensors = (parameter for network in networks for parameter in network.parameters())
    return sorted({tensor.device.index or 0 for tensor in tensors if tensor.is_cuda})
