"""Forward passes that leave no trace in the networks or in anybody's random numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import nn

__all__ = ["undisturbed"]


@contextmanager
def undisturbed(*networks: nn.Module) -> Iterator[None]:
    """Run forward passes that leave no trace: no graph, same buffers, same random state after.

    Random layers (dropout, noise) draw from a stream that starts anew each time, so that two looks
    at the same weights agree.
    """
    buffers = [(buffer, buffer.clone()) for network in networks for buffer in network.buffers()]
    state = torch.get_rng_state()
    cuda = [torch.device("cuda", i) for i in _cuda_devices(networks)]
    cuda_states = [torch.cuda.get_rng_state(device) for device in cuda]
    try:
        torch.default_generator.manual_seed(0)
        for device in cuda:
            torch.cuda.default_generators[device.index].manual_seed(0)
        with torch.no_grad():
            yield
    finally:
        torch.set_rng_state(state)
        for device, cuda_state in zip(cuda, cuda_states, strict=True):
            torch.cuda.set_rng_state(cuda_state, device)
        for buffer, saved in buffers:
            buffer.copy_(saved)


def _cuda_devices(networks: Sequence[nn.Module]) -> list[int]:
    tensors = (parameter for network in networks for parameter in network.parameters())
    return sorted({tensor.device.index or 0 for tensor in tensors if tensor.is_cuda})
