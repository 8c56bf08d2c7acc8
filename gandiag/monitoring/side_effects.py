"""Forward passes that leave networks and global random generators as they were."""

from __future__ import annotations

import functools
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np
import torch
from torch import nn

from gandiag.monitoring.torch_internals import module_buffers

# Whether an enclosing block restores the global random generators of the host.
_are_states_saved = ContextVar("_are_states_saved", default=False)


@contextmanager
def without_side_effects(*networks: nn.Module) -> Iterator[None]:
    """Run forward passes in evaluations without changing the training.

    No graph is recorded. Buffers (such as running means of batch normalisation or the vectors of a
    power iteration) and the states of all global random generators are restored afterwards, also
    after an error. Modes (train or eval) and weights are not changed.

    Random layers (dropout, noise) draw from a stream with a fixed seed, so two evaluations of the
    same weights agree. SyncBatchNorm uses the statistics of this process's batch only: to gather
    those of the other processes would wait forever if they do not evaluate at the same moment.

    Args:
        *networks: the networks that are called within the block.
    """
    modules = {module for network in networks for module in network.modules()}
    # Saved are the tensors themselves, as a module may assign new ones, and their values.
    # Nothing of gandiag's is called in the end: an error there would leave the training changed.
    tables = [table for table in map(module_buffers, modules) if table]
    owners = [(table, dict(table)) for table in tables]
    buffers = [(b, b.clone()) for _, named in owners for b in named.values() if b is not None]
    cuda = [torch.device("cuda", i) for i in _cuda_devices(networks)]
    cuda_states = [torch.cuda.get_rng_state(device) for device in cuda]
    synced = [(m, dict(vars(m))) for m in modules if isinstance(m, nn.SyncBatchNorm)]
    try:
        for module, _ in synced:
            # An instance attribute hides the method that gathers the other processes' statistics.
            vars(module)["forward"] = functools.partial(nn.BatchNorm1d.forward, module)
        for device in cuda:
            torch.cuda.default_generators[device.index].manual_seed(0)
        with _seeded_host_generators(), torch.no_grad():
            yield
    finally:
        for device, cuda_state in zip(cuda, cuda_states, strict=True):
            torch.cuda.set_rng_state(cuda_state, device)
        for table, named in owners:
            table.update(named)
        for module, attributes in synced:
            vars(module).clear()
            vars(module).update(attributes)
        # Last: the copies go into the original tensors, which are in place again by now.
        for buffer, saved in buffers:
            buffer.copy_(saved)


@contextmanager
def _seeded_host_generators() -> Iterator[None]:
    """Seed torch's generator, and restore the generators of torch, NumPy and Python afterwards.

    Within another such block only the seed is set again. Saving and restoring the states takes
    210 us, of which NumPy's takes 180, so one block is put around several evaluations.
    """
    if _are_states_saved.get():
        torch.default_generator.manual_seed(0)
        yield
        return
    state, numpy_state = torch.get_rng_state(), np.random.get_state()
    python_state, token = random.getstate(), _are_states_saved.set(True)
    torch.default_generator.manual_seed(0)
    try:
        yield
    finally:
        _are_states_saved.reset(token)
        torch.set_rng_state(state)
        np.random.set_state(numpy_state)
        random.setstate(python_state)


def _cuda_devices(networks: Sequence[nn.Module]) -> list[int]:
    """Indices of the GPUs that hold parameters; CUDA is not initialised for this question."""
    if not torch.cuda.is_initialized():  # type: ignore[no-untyped-call]  # untyped in torch
        return []
    tensors = (parameter for network in networks for parameter in network.parameters())
    return sorted({tensor.device.index or 0 for tensor in tensors if tensor.is_cuda})


@contextmanager
def in_evaluation_mode(network: nn.Module) -> Iterator[None]:
    """Set every module of a network to evaluation mode, and restore the modes afterwards."""
    modes = [(module, module.training) for module in network.modules()]
    try:
        for module, _ in modes:
            module.training = False
        yield
    finally:
        for module, is_training in modes:
            module.training = is_training
