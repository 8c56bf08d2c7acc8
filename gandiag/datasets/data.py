"""The type that every dataset returns: `Data`."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class Data(NamedTuple):
    """Real samples for training and for evaluation, all in memory.

    Attributes:
        train: training samples, float32: ``(N, channels, height, width)`` in [-1, 1] for images,
            ``(N, d)`` in data units for points.
        held_out: ``(M, *shape)`` real samples that are never trained on. The real-vs-real baselines
            are measured between these and the training samples.
        labels: ``(N,)`` int64 classes of `train`, or None for data without classes.
        held_out_labels: ``(M,)`` int64 classes of `held_out`, or None.
    """

    train: Tensor
    held_out: Tensor
    labels: Tensor | None = None
    held_out_labels: Tensor | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample, ``(channels, height, width)`` or ``(d,)``."""
        return tuple(self.train.shape[1:])
