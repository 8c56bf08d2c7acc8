"""Reads TensorBoard event files with TensorBoard's own loader."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gandiag.plugins.errors import BadInput
from gandiag.records.own_output import (
    EVENTS_NAME,
    FACTS,
    UNCHARTED,
    build_own_record,
)
from gandiag.records.readers._table import build_series_record
from gandiag.records.record import Record
from gandiag.records.storage import Value

EVENTS = "*tfevents*"
MAX_CONTENT = 16  # bytes of the largest type of a single number


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
        files = [path] if path.is_file() else sorted(path.rglob(EVENTS))
        own = [file for file in files if file.name == EVENTS_NAME]
        if len(own) == 1:
            return _read_own(own[0])
        has_subfolders = len({file.parent for file in files}) > 1
        tags: dict[str, tuple[list[int], list[float]]] = {}
        for file in files:
            folder = file.parent.relative_to(path) if has_subfolders else Path()
            prefix = "" if folder == Path() else f"{folder}/"
            for step, value in _load_values(file):
                number = _read_number(value)
                if number is not None:
                    steps, values = tags.setdefault(prefix + value.tag, ([], []))
                    steps.append(step)
                    values.append(number)
        if not tags:
            raise BadInput(str(path), "the event files have no scalars")
        return build_series_record(tags, path, "tensorboard", columns)


def _load_values(file: Path) -> Iterator[tuple[int, Any]]:
    """Step and value of each entry of a file, in the order in which they were written.

    TensorBoard's own accumulator would keep a random sample of each tag, and load the pictures. A
    file that was cut is read up to its last complete event.

    Raises:
        BadInput: TensorBoard is not installed, or an event is damaged.
    """
    try:
        from tensorboard.backend.event_processing import event_file_loader
    except ImportError as error:
        command = 'pip install "gandiag[tensorboard]"'
        raise BadInput(str(file), f"TensorBoard is needed to read the log: {command}") from error
    try:
        for event in event_file_loader.LegacyEventFileLoader(str(file)).Load():
            for value in event.summary.value:
                yield event.step, value
    except Exception as error:  # protobuf's DecodeError; protobuf is TensorBoard's dependency
        raise BadInput(str(file), f"has a damaged event ({error})") from error


def _read_number(value: Any) -> float | None:
    """The number of an entry; None if it has none, such as a picture or a histogram."""
    from tensorboard.util import tensor_util

    if value.HasField("simple_value"):
        return float(value.simple_value)
    # TensorFlow 2 writes scalars as tensors without dimensions. A tensor may say that it has more
    # entries than the file holds, so it is only decoded where it says that it is one number.
    tensor = value.tensor
    size = math.prod(dim.size for dim in tensor.tensor_shape.dim)
    if not value.HasField("tensor") or size != 1 or len(tensor.tensor_content) > MAX_CONTENT:
        return None
    try:
        array = tensor_util.make_ndarray(tensor)
        return float(array.item()) if array.dtype.kind in "fiu" else None
    except (TypeError, ValueError, IndexError):  # of a type that has no numbers, or is damaged
        return None


def _read_own(file: Path) -> Record:
    """The record of a run of gandiag, from its scalars, histograms and texts."""
    rows: dict[int, dict[str, Value]] = {}
    texts: dict[str, list[bytes]] = {}
    for step, value in _load_values(file):
        row = rows.setdefault(step, {})
        if value.HasField("simple_value"):
            row[value.tag] = float(f"{value.simple_value:.7g}")  # as a record rounds numbers
        elif value.HasField("histo"):
            row[value.tag] = list(value.histo.bucket)
        elif value.tag in (FACTS, UNCHARTED):
            texts.setdefault(value.tag, []).extend(value.tensor.string_val)
    try:
        facts = json.loads(texts[FACTS][-1]) if FACTS in texts else {}
        return build_own_record(rows, texts.get(UNCHARTED, ()), facts)
    except (ValueError, TypeError, AttributeError, LookupError) as error:
        raise BadInput(str(file), f"not the events of a run ({error})") from error
