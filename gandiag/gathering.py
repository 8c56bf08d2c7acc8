"""Collects real samples from the batches that the discriminator sees, until they suffice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import torch
from torch import Tensor

from gandiag.ranks import Message, Ranks
from gandiag.reference import REALS, SIZE, Reference, flatten

__all__ = ["NEEDED", "Gathering"]

NEEDED = REALS + 2 * SIZE  # at 32 x 32 x 3 pixels these are 37 MB while they are collected


class Gathering:
    """Real samples on their way to a reference.

    With several ranks those of all are collected on rank 0, which gives its reference to the
    others.
    """

    def __init__(self, ranks: Ranks | None = None) -> None:
        """Begin with none."""
        self._ranks = ranks or Ranks()
        self._turns = 0
        self._parts: list[Tensor] = []
        self._count = 0

    def add(self, real: Tensor | None) -> Reference | None:
        """Keep a batch ``(B, *shape)``; return the reference once there are enough of them.

        To be called at every turn of the discriminator, also with no batch, so that the ranks go
        together. Building the reference takes about a second, once.
        """
        self._turns += 1
        about = f"real/{self._turns}"
        own = {} if real is None else {"real": flatten(real.detach())}
        if not self._ranks.first:
            known = self._ranks.announced("reference")
            if known is None:
                self._ranks.tell(about, own)
                return None
            return _unpacked(known, None if real is None else real.device)
        for batch in (own, *self._ranks.hear(about)):
            if "real" in batch and self._count < NEEDED:
                self._keep(batch["real"])
        return None if self._count < NEEDED else self._known()

    def _keep(self, rows: Tensor) -> None:
        device = self._parts[0].device if self._parts else rows.device
        self._parts.append(rows[: NEEDED - self._count].clone().to(device))
        self._count += len(self._parts[-1])

    def _known(self) -> Reference:
        samples = torch.cat(self._parts)
        self._parts = []
        reference = Reference.of(samples[:REALS], samples[REALS:], SIZE)
        self._ranks.announce("reference", _packed(reference))
        return reference


def _packed(reference: Reference) -> dict[str, float | Tensor]:
    """Every number of a reference by ``field`` or ``field/name``."""
    message: dict[str, float | Tensor] = {}
    for field in fields(reference):
        value = getattr(reference, field.name)
        if isinstance(value, Mapping):
            message |= {f"{field.name}/{name}": number for name, number in value.items()}
        elif value is not None:
            message[field.name] = value
    return message


def _unpacked(message: Message, device: torch.device | None) -> Reference:
    """The reference again, its tensors on `device`."""
    values: dict[str, Any] = {"basis": None, "null": {}, "null_spread": {}, "null_high": {}}
    for key, value in message.items():
        name, _, inner = key.partition("/")
        if inner:
            values[name][inner] = float(value)
        else:
            values[name] = value.to(device) if value.ndim else float(value)
    return Reference(**values | {"size": int(values["size"])})
