"""Training with several processes: rank 0 collects what the other ranks measure.

DistributedDataParallel gives every process (rank) the same weights and its own samples. Rank 0
keeps the record. The other ranks send it their measurements and their samples.

No collective operation is added to the training. A collective waits for every rank, so one more of
them could hang where a rank died, steps less often, or is not watched. Instead, messages are put
into the key-value store through which the ranks found one another. The other ranks only write,
which waits for no other process. Rank 0 reads right after a collective of the training itself, as
gradients have just been averaged when an optimizer steps; so a message is there, or about to come.
Otherwise rank 0 waits `RECEIVE_TIMEOUT` seconds, once, and continues without that rank. A rank that
detaches leaves a note, and rank 0 does not wait for it at all.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

import torch
import torch.distributed as dist
from safetensors.torch import load, save
from torch import Tensor

from gandiag.monitoring.features import MAX_SIDE, flatten_samples
from gandiag.monitoring.torch_internals import default_process_store
from gandiag.plugins.errors import warn_user

if TYPE_CHECKING:
    from torch.distributed.distributed_c10d import Store

Message = dict[str, Tensor]
# Seconds that rank 0 waits for a message; from the averaged gradients to it, a rank takes some ms.
RECEIVE_TIMEOUT = 10.0
# Seconds between two checks for a message; one check takes 0.05 ms on one machine.
POLL_INTERVAL = 0.001
# Bytes of one value in the store: torch's TCPStore closes the connection on much larger values.
CHUNK_BYTES = 1 << 20
# Separates several watched trainings of one process; ranks attach in the same order.
_attachment_numbers = itertools.count()


class Ranks:
    """This process among the processes of a distributed training; by default it is the only one.

    Args:
        rank: rank of this process.
        count: number of processes.
        store: key-value store for messages; None to send and receive nothing.
        patience: seconds that rank 0 waits for a message.
    """

    def __init__(
        self,
        rank: int = 0,
        count: int = 1,
        store: Store | None = None,
        patience: float = RECEIVE_TIMEOUT,
    ) -> None:
        self.rank = rank
        self.count = count
        self._store = store
        self._patience = patience
        self._senders = list(range(1, count)) if store is not None and rank == 0 else []
        self._is_silent = store is None or rank == 0

    @classmethod
    def current(cls) -> Ranks:
        """The ranks of torch's default process group; a single rank without one."""
        number = next(_attachment_numbers)
        if not (dist.is_available() and dist.is_initialized()) or dist.get_world_size() == 1:
            return cls()
        rank, count = dist.get_rank(), dist.get_world_size()
        from torch.distributed.distributed_c10d import PrefixStore  # not in every build of torch

        try:
            # A clone is a connection of its own: an error in it does not affect the training's.
            store = default_process_store().clone()
            store.set_timeout(timedelta(seconds=RECEIVE_TIMEOUT))
        except Exception as error:  # such as a backend without a store
            if rank == 0:
                warn_user(f"only rank 0 of {count} is watched: {type(error).__name__}: {error}")
            return cls(rank, count)
        return cls(rank, count, PrefixStore(f"gandiag/{number}", store))

    @property
    def is_first(self) -> bool:
        """Whether this process keeps the record."""
        return self.rank == 0

    def send(self, about: str, message: Mapping[str, float | Tensor]) -> None:
        """On a rank other than 0: leave a message for rank 0, unless rank 0 has stopped reading.

        Args:
            about: the subject, the same on all ranks, such as ``100/generator``.
            message: numbers and tensors by name.
        """
        if self._store is None or self._is_silent:
            return
        if self._store.check([f"{self.rank}/unheard"]):
            self._is_silent = True
            return
        self._put(f"{self.rank}/{about}", message)

    def receive(self, about: str) -> list[Message]:
        """On rank 0: wait for the messages of the other ranks about a subject, by rank."""
        deadline = time.monotonic() + self._patience
        received = [(rank, self._wait_for(rank, about, deadline)) for rank in self._senders]
        self._senders = [rank for rank, message in received if message is not None]
        return [message for _, message in received if message is not None]

    def broadcast(self, about: str, message: Mapping[str, float | Tensor]) -> None:
        """On rank 0: leave a message for all other ranks."""
        if self._store is not None:
            self._put(f"all/{about}", message)

    def receive_broadcast(self, about: str) -> Message | None:
        """The message that rank 0 has left for all ranks; None before. This does not wait."""
        key = f"all/{about}"
        if self._store is None or not self._store.check([key]):
            return None
        return self._get(key)

    def leave(self) -> None:
        """Report that this rank sends nothing more and reads nothing more."""
        if self._store is None:
            return
        store, self._store = self._store, None
        self._senders = []
        with contextlib.suppress(RuntimeError):  # the process with the store may have ended
            store.set(f"{self.rank}/left", "")
            for rank in range(1, self.count if self.is_first else 1):
                store.set(f"{rank}/unheard", "")

    def _wait_for(self, rank: int, about: str, deadline: float) -> Message | None:
        """A rank's message; None if the rank has left or does not send it before the deadline."""
        store, key = self._store, f"{rank}/{about}"
        assert store is not None  # without a store there are no senders
        while not store.check([key]):
            # The message may have come between the two checks, right before the rank left.
            if store.check([f"{rank}/left"]) and not store.check([key]):
                return None
            if time.monotonic() > deadline:
                store.set(f"{rank}/unheard", "")
                warn_user(
                    f"no message from rank {rank} (about {about}); measurements continue without "
                    "this rank. Is gandiag.attach called on every rank, and does each rank step "
                    "as often as the others?"
                )
                return None
            time.sleep(POLL_INTERVAL)
        message = self._get(key)
        self._delete(key)
        return message

    def _put(self, key: str, message: Mapping[str, float | Tensor]) -> None:
        assert self._store is not None
        data = save({name: _to_host(value) for name, value in message.items()})
        begins = range(0, len(data), CHUNK_BYTES)
        for index, begin in enumerate(begins):
            part = data[begin : begin + CHUNK_BYTES]
            self._store.set(f"{key}/{index}", part)  # type: ignore[arg-type]  # bytes are allowed
        # The key itself comes last: a reader that finds it finds all parts.
        self._store.set(key, str(len(begins)))

    def _get(self, key: str) -> Message:
        assert self._store is not None
        count = int(self._store.get(key))
        data = b"".join(self._store.get(f"{key}/{index}") for index in range(count))
        return dict(load(data))

    def _delete(self, key: str) -> None:
        assert self._store is not None
        for index in range(int(self._store.get(key))):
            self._store.delete_key(f"{key}/{index}")
        self._store.delete_key(key)


def average_messages(
    own: Mapping[str, float | Tensor], others: Sequence[Mapping[str, Tensor]]
) -> dict[str, float | Tensor]:
    """Average each number over the ranks that measured it; a NaN of one rank makes the mean NaN.

    Vectors stay those of rank 0: entries at the same place of two ranks' vectors do not correspond.

    >>> average_messages({"loss": 1.0}, [{"loss": torch.tensor(2.0)}])
    {'loss': tensor(1.5000, dtype=torch.float64)}
    >>> average_messages({"loss": 1.0}, [{}])
    {'loss': 1.0}
    """
    if not others:
        return dict(own)
    means: dict[str, float | Tensor] = {}
    for name, value in own.items():
        mine = torch.as_tensor(value)
        theirs = [other[name].to(mine.device) for other in others if name in other]
        scalars = [tensor.double() for tensor in theirs if tensor.ndim == mine.ndim == 0]
        means[name] = torch.stack([mine.double(), *scalars]).mean(0) if scalars else value
    return means


def rank_share(fakes: Tensor, size: int, ranks: int) -> Tensor:
    """One rank's share of `size` generated samples: its newest, ``(n, *shape)``.

    Large images are averaged down: 512 images of 256 x 256 pixels would be 400 MB. The features of
    `flatten_samples` are the same as for the original images.
    """
    return _average_down(fakes[-math.ceil(size / ranks) :])


def merge_shares(own: Tensor, others: Sequence[Tensor], size: int) -> Tensor:
    """Up to `size` generated samples ``(n, *shape)``: the other ranks' shares and rank 0's own.

    Without shares of other ranks, the result is `own` itself. A share that equals rank 0's samples
    to the last bit is left out with a warning: copies would look like a lack of diversity.
    """
    if not others:
        return own
    mine = _average_down(own)
    theirs = [fakes.to(mine.device) for fakes in others]
    distinct = [fakes for fakes in theirs if not torch.equal(mine[-len(fakes) :], fakes)]
    if len(distinct) < len(theirs):
        text = "some ranks draw the same latents as rank 0; seed each rank with a different number"
        warn_user(text)
    missing = max(size - sum(len(fakes) for fakes in distinct), 0)
    return torch.cat([mine[len(mine) - min(missing, len(mine)) :], *distinct])


def _average_down(samples: Tensor) -> Tensor:
    if samples.ndim == 4 and max(samples.shape[2:]) > MAX_SIDE:
        shape = (len(samples), samples.shape[1], MAX_SIDE, MAX_SIDE)
        return flatten_samples(samples).reshape(shape)
    return samples


def _to_host(value: float | Tensor) -> Tensor:
    """A tensor of its own on the host: safetensors refuses tensors that share memory."""
    if isinstance(value, Tensor):
        return value.detach().cpu().clone(memory_format=torch.contiguous_format)
    return torch.tensor(value, dtype=torch.float64)
