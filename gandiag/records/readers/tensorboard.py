"""Reads TensorBoard's event files, with TensorBoard's own reader."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gandiag.plugins.errors import BadInput
from gandiag.records.readers._table import Column, record_of
from gandiag.records.record import Record

EVENTS = "*tfevents*"


@dataclass(frozen=True)
class TensorBoard:
    """A folder of TensorBoard's event files, or one such file; with the folders below it.

    A tag of a folder below is called ``folder/tag``. Needs the extra ``tensorboard``.
    """

    def recognises(self, path: Path) -> bool:
        """Whether there are event files in it or below it."""
        return path.match(EVENTS) if path.is_file() else any(path.rglob(EVENTS))

    def read(self, path: Path, columns: Mapping[str, str]) -> Record:
        """Read all scalars; each tag has the steps that it was written with."""
        below = sorted({file.parent for file in path.rglob(EVENTS)}) if path.is_dir() else [path]
        tags: dict[str, tuple[list[int], list[float]]] = {}
        for place in below:
            prefix = f"{place.relative_to(path)}/" if place != path and len(below) > 1 else ""
            tags |= {prefix + tag: scalars for tag, scalars in _scalars(place).items()}
        if not tags:
            raise BadInput(str(path), "the event files hold no scalars")
        return record_of(_columns(tags), path, "tensorboard", columns)


def _scalars(place: Path) -> dict[str, tuple[list[int], list[float]]]:
    """Steps and values of every tag that holds single numbers, in the order written."""
    accumulator = _accumulator(place)
    accumulator.Reload()
    tags = accumulator.Tags()
    found = {}
    for tag in tags["scalars"]:
        events = accumulator.Scalars(tag)
        found[tag] = ([event.step for event in events], [event.value for event in events])
    for tag in tags["tensors"]:  # as TensorFlow 2 writes scalars
        events = accumulator.Tensors(tag)
        values = [_single(event.tensor_proto) for event in events]
        if all(value is not None for value in values):
            found[tag] = ([event.step for event in events], [value or 0.0 for value in values])
    return found


def _accumulator(place: Path) -> Any:
    try:
        from tensorboard.backend.event_processing import event_accumulator
    except ImportError as error:
        way = 'pip install "gandiag[tensorboard]"'
        raise BadInput(str(place), f"TensorBoard is needed to read it: {way}") from error
    every = {event_accumulator.SCALARS: 0, event_accumulator.TENSORS: 0}  # 0 keeps all
    return event_accumulator.EventAccumulator(
        str(place), size_guidance=every, purge_orphaned_data=False
    )


def _single(proto: Any) -> float | None:
    from tensorboard.util import tensor_util

    array = tensor_util.make_ndarray(proto)
    return float(array.item()) if array.size == 1 and array.dtype.kind in "fiu" else None


def _columns(tags: Mapping[str, tuple[Iterable[int], Iterable[float]]]) -> dict[str, Column]:
    """One row for each entry of each tag, so that a tag that goes back does so alone."""
    found, steps, begin = {}, [], 0
    for tag, (at, values) in tags.items():
        place = np.asarray(at, np.float64)
        rows = np.arange(begin, begin + len(place))
        found[tag] = Column(rows, np.asarray(values, np.float64))
        steps.append(place)
        begin += len(place)
    return {"step": Column(np.arange(begin), np.concatenate(steps)), **found}
