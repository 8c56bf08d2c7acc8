"""Several processes that train one GAN together, and what rank 0 hears from the others.

DistributedDataParallel gives every process (rank) the same weights and samples of its own. Rank 0
keeps the record; the others send it what they have measured, and the samples they made or saw.

No collective is added to a training. A collective waits for every rank: one more of them could
hang where a rank died, steps less often, or is not watched. Instead messages lie in the key-value
store through which the ranks found one another. The others only write, which waits for nobody.
Rank 0 reads right behind a collective of the training's own, for gradients have just been averaged
when an optimizer steps; so a message is there, or about to be. Where it is not, rank 0 waits
`PATIENCE` seconds, once, and goes on without that rank. A rank that detaches says so, and is not
waited for at all.
"""

from __future__ import annotations

import contextlib
import itertools
import time
import warnings
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

import torch
import torch.distributed as dist
from safetensors.torch import load, save
from torch import Tensor

if TYPE_CHECKING:
    from torch.distributed.distributed_c10d import Store


Message = dict[str, Tensor]
PATIENCE = 10.0  # seconds; a rank takes milliseconds from the averaged gradients to its message
PAUSE = 0.001  # seconds between two looks for a message; a look takes 0.05 ms on one machine
CHUNK = 1 << 20  # bytes; torch's TCPStore closes the connection on much larger values
_WATCHES = itertools.count()  # ranks attach their watches in the same order


class Ranks:
    """This process among those that train together; alone unless told otherwise.

    Args:
        rank: of this process.
        count: how many processes there are.
        store: where messages lie; without one nothing is sent or heard.
        patience: seconds that rank 0 waits for a message.
    """

    def __init__(
        self,
        rank: int = 0,
        count: int = 1,
        store: Store | None = None,
        patience: float = PATIENCE,
    ) -> None:
        self.rank = rank
        self.count = count
        self._store = store
        self._patience = patience
        self._senders = list(range(1, count)) if store is not None and rank == 0 else []
        self._is_silent = store is None or rank == 0

    @classmethod
    def current(cls) -> Ranks:
        """The ranks of torch's default process group, if there is one."""
        watch = next(_WATCHES)
        if not (dist.is_available() and dist.is_initialized()) or dist.get_world_size() == 1:
            return cls()
        rank, count = dist.get_rank(), dist.get_world_size()
        from torch.distributed import distributed_c10d as c10d  # not in every build of torch

        try:
            # a connection of its own: whatever happens to it, the training's is not concerned
            store = c10d._get_default_store().clone()
            store.set_timeout(timedelta(seconds=PATIENCE))
        except Exception as error:  # such as a backend without a store
            if rank == 0:
                _warn(f"only rank 0 of {count} is watched: {type(error).__name__}: {error}")
            return cls(rank, count)
        return cls(rank, count, c10d.PrefixStore(f"gandiag/{watch}", store))

    @property
    def is_first(self) -> bool:
        """Whether this process keeps the record."""
        return self.rank == 0

    def send(self, about: str, message: Mapping[str, float | Tensor]) -> None:
        """On other ranks than 0: leave a message for rank 0, unless it no longer listens."""
        if self._store is None or self._is_silent:
            return
        if self._store.check([f"{self.rank}/unheard"]):
            self._is_silent = True
            return
        self._put(f"{self.rank}/{about}", message)

    def receive(self, about: str) -> list[Message]:
        """On rank 0: what each of the others tells about this, in their order."""
        deadline = time.monotonic() + self._patience
        found = [(rank, self._awaited(rank, about, deadline)) for rank in self._senders]
        self._senders = [rank for rank, message in found if message is not None]
        return [message for _, message in found if message is not None]

    def broadcast(self, about: str, message: Mapping[str, float | Tensor]) -> None:
        """On rank 0: leave a message for all others."""
        if self._store is not None:
            self._put(f"all/{about}", message)

    def broadcast_message(self, about: str) -> Message | None:
        """What rank 0 has announced, None until then."""
        key = f"all/{about}"
        if self._store is None or not self._store.check([key]):
            return None
        return self._get(key)

    def leave(self) -> None:
        """Say that nothing more comes from here, and that nothing more is heard."""
        if self._store is None:
            return
        store, self._store = self._store, None
        self._senders = []
        with contextlib.suppress(RuntimeError):  # the store's host may be gone
            store.set(f"{self.rank}/left", "")
            for rank in range(1, self.count if self.is_first else 1):
                store.set(f"{rank}/unheard", "")

    def _awaited(self, rank: int, about: str, deadline: float) -> Message | None:
        store, key = self._store, f"{rank}/{about}"
        assert store is not None  # else nobody speaks
        while not store.check([key]):
            if store.check([f"{rank}/left"]) and not store.check([key]):
                return None
            if time.monotonic() > deadline:
                store.set(f"{rank}/unheard", "")
                _warn(
                    f"nothing more is heard of rank {rank} (of {about}); what follows is measured "
                    "without it. Is gandiag.attach called on every rank, and does each step as "
                    "often as the others?"
                )
                return None
            time.sleep(PAUSE)
        message = self._get(key)
        self._drop(key)
        return message

    def _put(self, key: str, message: Mapping[str, float | Tensor]) -> None:
        assert self._store is not None
        data = save({name: _portable(value) for name, value in message.items()})
        parts = range(0, len(data), CHUNK)
        for index, begin in enumerate(parts):
            part = data[begin : begin + CHUNK]
            self._store.set(f"{key}/{index}", part)  # type: ignore[arg-type]  # takes bytes too
        self._store.set(key, str(len(parts)))  # last: whoever sees it finds the parts

    def _get(self, key: str) -> Message:
        assert self._store is not None
        count = int(self._store.get(key))
        data = b"".join(self._store.get(f"{key}/{index}") for index in range(count))
        return dict(load(data))

    def _drop(self, key: str) -> None:
        assert self._store is not None
        for index in range(int(self._store.get(key))):
            self._store.delete_key(f"{key}/{index}")
        self._store.delete_key(key)


def _portable(value: float | Tensor) -> Tensor:
    """A tensor of its own on the host: two that share memory could not be sent together."""
    if isinstance(value, Tensor):
        return value.detach().cpu().clone(memory_format=torch.contiguous_format)
    return torch.tensor(value, dtype=torch.float64)


def _warn(message: str) -> None:
    warnings.warn(message, RuntimeWarning, stacklevel=2)
