"""The type that every dataset returns: `Data`, and its check."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from gandiag.plugins.errors import BadInput
from gandiag.plugins.fence import PluginFailed, call_plugin, is_own, name_plugin

if TYPE_CHECKING:
    from gandiag.plugins.protocols import Dataset


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


def load_data(dataset: Dataset, place: str) -> Data:
    """Load a dataset, and check what a third-party one returns.

    Args:
        dataset: the dataset.
        place: where it was chosen, for messages.

    Raises:
        BadInput: the samples cannot be read; or a third-party dataset has raised another exception
            or returned something else than `Data` describes.
    """
    if is_own(dataset):
        return dataset.load()
    try:
        data = call_plugin(dataset, dataset.load, Data)
    except PluginFailed as error:
        raise BadInput(place, f"cannot be loaded: {error}") from error
    problem = _find_problem(data)
    if problem:
        raise BadInput(place, f"cannot be used: {name_plugin(dataset)} returned {problem}")
    return data


def _find_problem(data: Data) -> str:
    """What is wrong with the data, as an object of "returned"; empty if nothing is."""
    sets = ((data.train, data.labels), (data.held_out, data.held_out_labels))
    for samples, labels in sets:
        if not isinstance(samples, Tensor) or samples.dtype != torch.float32 or samples.ndim < 2:
            return "samples that are no float32 tensor (N, *shape)"
        if samples.shape[1:] != data.train.shape[1:] or samples.numel() == 0:
            return "no samples, or samples of two shapes"
        if not torch.isfinite(samples).all():
            return "samples that are not finite"
        is_integer = isinstance(labels, Tensor) and labels.dtype == torch.int64
        if labels is not None and (not is_integer or labels.shape != samples.shape[:1]):
            return "labels that are no int64 tensor (N,)"
    return ""
