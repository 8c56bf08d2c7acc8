"""Reads TensorBoard event files with TensorBoard's own reader."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gandiag.plugins.errors import BadInput
from gandiag.records.readers._own_output import (
    EVENTS_NAME,
    FACTS,
    UNCHARTED,
    build_own_record,
)
from gandiag.records.readers._table import build_series_record
from gandiag.records.record import Record
from gandiag.records.storage import Value

EVENTS = "*tfevents*"


@dataclass(frozen=True)
class TensorBoard:
    """A TensorBoard event file, or a folder of event files with its subfolders.

    A tag in a subfolder is named ``folder/tag``. The events that gandiag wrote are the complete
    record. Needs the extra ``tensorboard``.
    """

    def recognises(self, path: Path) -> bool:
        """Whether the path is an event file, or a folder with event files at any depth."""
        return path.match(EVENTS) if path.is_file() else any(path.rglob(EVENTS))

    def read(self, path: Path, columns: Mapping[str, str]) -> Record:
        """Read all scalars; each tag has its own steps."""
        own = [path] if path.is_file() else sorted(path.rglob(EVENTS_NAME))
        if len(own) == 1 and own[0].name == EVENTS_NAME:
            return _read_own(own[0])
        folders = sorted({file.parent for file in path.rglob(EVENTS)}) if path.is_dir() else [path]
        tags: dict[str, tuple[list[int], list[float]]] = {}
        for folder in folders:
            prefix = f"{folder.relative_to(path)}/" if folder != path and len(folders) > 1 else ""
            tags |= {prefix + tag: scalars for tag, scalars in _read_scalars(folder).items()}
        if not tags:
            raise BadInput(str(path), "the event files have no scalars")
        return build_series_record(tags, path, "tensorboard", columns)


def _read_own(file: Path) -> Record:
    """The record of a run of gandiag, from its scalars, histograms and texts."""
    _open_events(file)  # an error if TensorBoard is missing
    from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader

    rows: dict[int, dict[str, Value]] = {}
    texts: dict[str, list[str]] = {}
    for event in LegacyEventFileLoader(str(file)).Load():
        for value in event.summary.value:
            row = rows.setdefault(event.step, {})
            if value.HasField("simple_value"):
                row[value.tag] = float(f"{value.simple_value:.7g}")  # as a record rounds numbers
            elif value.HasField("histo"):
                row[value.tag] = list(value.histo.bucket)
            elif value.tag in (FACTS, UNCHARTED):
                texts.setdefault(value.tag, []).extend(t.decode() for t in value.tensor.string_val)
    try:
        facts = json.loads(texts[FACTS][-1]) if FACTS in texts else {}
        return build_own_record(rows, texts.get(UNCHARTED, ()), facts)
    except (ValueError, TypeError, AttributeError) as error:
        raise BadInput(str(file), f"not the events of a run ({error})") from error


def _read_scalars(path: Path) -> dict[str, tuple[list[int], list[float]]]:
    """Steps and values of every tag of single numbers, in the order in which they were written."""
    accumulator = _open_events(path)
    accumulator.Reload()
    tags = accumulator.Tags()
    found = {}
    for tag in tags["scalars"]:
        events = accumulator.Scalars(tag)
        found[tag] = ([event.step for event in events], [event.value for event in events])
    for tag in tags["tensors"]:  # TensorFlow 2 writes scalars as tensors without dimensions
        events = accumulator.Tensors(tag)
        values = [_read_number(event.tensor_proto) for event in events]
        if all(value is not None for value in values):
            found[tag] = ([event.step for event in events], [value or 0.0 for value in values])
    return found


def _open_events(path: Path) -> Any:
    try:
        from tensorboard.backend.event_processing import event_accumulator
    except ImportError as error:
        command = 'pip install "gandiag[tensorboard]"'
        raise BadInput(str(path), f"TensorBoard is needed to read the log: {command}") from error
    # By default TensorBoard keeps a random sample of each tag's events; 0 keeps all. TensorBoard
    # would also drop the events that a resumed run repeated; `find_newest_branch` does so, and the
    # number of dropped events is reported.
    every = {event_accumulator.SCALARS: 0, event_accumulator.TENSORS: 0}
    return event_accumulator.EventAccumulator(
        str(path), size_guidance=every, purge_orphaned_data=False
    )


def _read_number(proto: Any) -> float | None:
    from tensorboard.util import tensor_util

    array = tensor_util.make_ndarray(proto)
    return float(array.item()) if array.size == 1 and array.dtype.kind in "fiu" else None
