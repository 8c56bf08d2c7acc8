"""Real samples for a reference: given at once, or collected from the batches that D sees."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from gandiag.monitoring.distributed import Message, Ranks
from gandiag.monitoring.features import Embedding, Rows
from gandiag.monitoring.reference import REALS, SIZE, Reference
from gandiag.monitoring.side_effects import without_side_effects
from gandiag.plugins.errors import BadInput

NEEDED = REALS + 2 * SIZE  # at 32 x 32 x 3 pixels these are 37 MB while they are collected
FEWEST = 600  # real samples below which neither bins nor nulls would mean much


def reference_of(
    real: Tensor | Dataset[Any], device: torch.device, embedding: Embedding | None = None
) -> Reference:
    """The reference of real samples that are there at once, as those given to `gandiag.attach`.

    Args:
        real: ``(N, *shape)``, or a dataset whose items are samples, or begin with one. Of more than
            `NEEDED`, so many are chosen.
        device: of the reference's tensors.
        embedding: what to compare samples in, other than themselves.

    Raises:
        BadInput: there are fewer than `FEWEST` samples, or they cannot be embedded.
    """
    samples = real if isinstance(real, Tensor) else _drawn(real)
    if len(samples) < FEWEST:
        raise BadInput("attach: real", f"{len(samples)} samples; at least {FEWEST} are needed")
    order = torch.randperm(len(samples), generator=torch.Generator().manual_seed(0))[:NEEDED]
    chosen = samples[order.to(samples.device)].to(device)
    held_out = min(2 * SIZE, len(chosen) // 3)
    try:
        return Reference.of(chosen[held_out:], chosen[:held_out], embedding=embedding)
    except Exception as error:
        if embedding is None:
            raise
        raise BadInput("attach: embed", f"{type(error).__name__}: {error}") from error


def _drawn(dataset: Dataset[Any]) -> Tensor:
    """Samples spread evenly over a dataset, whose transforms may draw random numbers."""
    count = len(dataset)  # type: ignore[arg-type]  # those without a length are refused by Python
    with without_side_effects():
        items = [dataset[i * count // min(count, NEEDED)] for i in range(min(count, NEEDED))]
    tensors = [item[0] if isinstance(item, (tuple, list)) else item for item in items]
    return torch.stack([torch.as_tensor(tensor) for tensor in tensors])


class RealSampleBuffer:
    """Real samples on their way to a reference.

    With several ranks those of all are collected on rank 0, which gives its reference to the
    others.

    Args:
        ranks: the processes that train together.
        embedding: what to compare samples in, for a single process. Where it raises, there is a
            warning and never a reference.
    """

    def __init__(self, ranks: Ranks | None = None, embedding: Embedding | None = None) -> None:
        self._ranks = ranks or Ranks()
        self._embedding = embedding
        self._failed = False
        self._turns = 0
        self._kept: Rows | None = None  # room for all, so that they need not be joined in the end
        self._count = 0

    def add(self, real: Tensor | None) -> Reference | None:
        """Keep a batch ``(B, *shape)``; return the reference once there are enough of them.

        To be called at every turn of the discriminator, also with no batch, so that the ranks go
        together. Building the reference takes about a second, once.
        """
        self._turns += 1
        about = f"real/{self._turns}"
        rows = None if real is None or self._failed else self._rows(real)
        own = {} if rows is None else {"real": rows.flat}
        if not self._ranks.is_first:
            known = self._ranks.broadcast_message("reference")
            if known is None:
                self._ranks.send(about, own)
                return None
            return _unpacked(known, None if real is None else real.device)
        theirs = [batch["real"] for batch in self._ranks.receive(about) if "real" in batch]
        for batch in (*([] if rows is None else [rows]), *(Rows(flat, flat) for flat in theirs)):
            if self._count < NEEDED:
                self._keep(batch)
        return None if self._count < NEEDED else self._known()

    def _rows(self, real: Tensor) -> Rows | None:
        try:
            rows = Rows.of(real.detach(), self._embedding)
            if self._embedding is not None and not bool(rows.features.isfinite().all()):
                raise ValueError("it gives features that are not finite")
            return rows
        except Exception as error:  # an embedding is somebody's own
            self._failed = True
            text = f"no diversity is measured: embed: {type(error).__name__}: {error}"
            warnings.warn(text, RuntimeWarning, stacklevel=2)
            return None

    def _keep(self, rows: Rows) -> None:
        if self._kept is None:
            flat = _room(rows.flat)
            self._kept = Rows(flat, flat if self._embedding is None else _room(rows.features))
        wanted = min(NEEDED - self._count, len(rows.flat))
        place = slice(self._count, self._count + wanted)
        self._kept.flat[place] = rows.flat[:wanted]
        if self._embedding is not None:
            self._kept.features[place] = rows.features[:wanted]
        self._count += wanted

    def _known(self) -> Reference:
        assert self._kept is not None  # they are enough
        kept, self._kept = self._kept, None
        real, held_out = _part(kept, slice(None, REALS)), _part(kept, slice(REALS, None))
        reference = Reference.of(real, held_out, SIZE, embedding=self._embedding)
        self._ranks.broadcast("reference", _packed(reference))
        return reference


def _part(rows: Rows, part: slice) -> Rows:
    flat = rows.flat[part]
    return Rows(flat, flat if rows.features is rows.flat else rows.features[part])


def _room(rows: Tensor) -> Tensor:
    return rows.new_empty(NEEDED, *rows.shape[1:])


def _packed(reference: Reference) -> dict[str, float | Tensor]:
    """Every number of a reference by ``field`` or ``field/name``."""
    message: dict[str, float | Tensor] = {}
    for field in fields(reference):
        value = getattr(reference, field.name)
        if isinstance(value, Mapping):
            message |= {f"{field.name}/{name}": number for name, number in value.items()}
        elif isinstance(value, (Tensor, int, float)):
            message[field.name] = value
    return message


def _unpacked(message: Message, device: torch.device | None) -> Reference:
    """The reference again, its tensors on `device`."""
    values: dict[str, Any] = {
        "basis": None,
        "baseline_mean": {},
        "baseline_sd": {},
        "baseline_max": {},
    }
    for key, value in message.items():
        name, _, inner = key.partition("/")
        if inner:
            values[name][inner] = float(value)
        else:
            values[name] = value.to(device) if value.ndim else float(value)
    return Reference(**values | {"size": int(values["size"])})
