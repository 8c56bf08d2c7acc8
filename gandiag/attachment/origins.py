"""Whose samples a tensor holds: the generator's or real ones, told by memory or by the user."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

from torch import Tensor

KEPT = 8  # of the generator's newest batches: among them are the fakes that D is shown next


class FakeRegistry:
    """The generator's newest batches, and what the user said of tensors.

    Attributes:
        fakes: newest batches ``(B, *shape)``, detached. They are kept, so that no address of theirs
            is used twice.
    """

    def __init__(self) -> None:
        """Begin with none."""
        self.fakes: deque[Tensor] = deque(maxlen=KEPT)
        self._labels: deque[tuple[Tensor, bool]] = deque(maxlen=KEPT)

    def label(self, real: Tensor | None, fake: Tensor | None) -> None:
        """Remember what a tensor is until the discriminator is called with it."""
        for tensor, is_fake in ((real, False), (fake, True)):
            if tensor is not None:
                self._labels.append((tensor, is_fake))

    def samples(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Tensor | None:
        """Which of the discriminator's inputs is the samples: the one shaped as the generator's."""
        tensors = [value for value in (*args, *kwargs.values()) if isinstance(value, Tensor)]
        shape = self.fakes[-1].shape[1:] if self.fakes else None
        shaped = [tensor for tensor in tensors if tensor.shape[1:] == shape]
        floating = [tensor for tensor in tensors if tensor.is_floating_point()]
        return next(iter(shaped or floating), None)

    def is_fake(self, samples: Tensor) -> bool | None:
        """True for the generator's, False where the user said they are real, None if unknown."""
        for tensor, is_fake in self._labels:
            if _place(tensor) == _place(samples):
                return is_fake
        place = _place(samples)
        return True if any(_place(fake) == place for fake in self.fakes) else None

    def clear(self) -> None:
        """Let go of every tensor."""
        self.fakes.clear()
        self._labels.clear()


def _place(tensor: Tensor) -> int:
    """Where its storage lies: the same for all views of it."""
    return tensor.untyped_storage().data_ptr()
