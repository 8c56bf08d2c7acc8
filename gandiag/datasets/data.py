"""What every dataset returns."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class Data(NamedTuple):
    """Real samples as one tensor each, so that no loop touches single samples.

    Attributes:
        train: what the game is played with, float32, ``(N, channels, height, width)`` in [-1, 1]
            for images and ``(N, d)`` in data units for points.
        held_out: real samples that no player sees; the reference's nulls come from them.
        labels: int64 class of each sample in `train`, or None where the data have none.
        held_out_labels: the same for `held_out`.
    """

    train: Tensor
    held_out: Tensor
    labels: Tensor | None = None
    held_out_labels: Tensor | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample."""
        return tuple(self.train.shape[1:])
