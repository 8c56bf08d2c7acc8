"""Reads the `.wandb` files of offline runs of Weights & Biases.

The format is parsed here, because current versions of wandb have no public reader for it.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gandiag.plugins.errors import BadInput
from gandiag.records.own_output import STEP, UNCHARTED, build_own_record
from gandiag.records.readers._json_document import is_number
from gandiag.records.readers._table import build_record, collect_columns
from gandiag.records.readers.json_lines import flatten_numbers
from gandiag.records.record import Record
from gandiag.records.storage import Value

FILES = "*.wandb"
MAGIC = b":W&B"  # first bytes of the file
HEADER_SIZE = 7  # bytes: `MAGIC`, a magic number of 2 bytes, and a version of 1 byte
# LevelDB's log format, https://github.com/google/leveldb/blob/main/doc/log_format.md
BLOCK_SIZE = 32768  # bytes
CHUNK_HEADER = struct.Struct("<IHB")  # checksum, length of the data, type
FULL, FIRST, LAST = 1, 2, 4  # types of chunks; MIDDLE is 3


@dataclass(frozen=True)
class WeightsAndBiases:
    """An offline run of W&B: its `.wandb` file, its folder, or a folder with one such run.

    Reading needs no API key and sends nothing. A run that gandiag logged is its complete record.
    """

    def recognises(self, path: Path) -> bool:
        """Whether the path is a `.wandb` file, or a folder with one at any depth."""
        return path.match(FILES) if path.is_file() else any(path.rglob(FILES))

    def read(self, path: Path, columns: Mapping[str, str]) -> Record:
        """Read the history of the run, as far as it was written."""
        files = sorted({file.resolve() for file in path.rglob(FILES)}) if path.is_dir() else [path]
        if len(files) > 1:  # resolved above, as `latest-run` is a link to one of the runs
            several = ", ".join(str(file.parent.name) for file in files)
            raise BadInput(str(path), f"holds several runs; choose one of {several}")
        history, config = _read_run(files[0])
        if any(STEP in row for row in history):
            return _build_own(files[0], history, config)
        found = collect_columns(flatten_numbers(row, "/") for row in history)
        if not found:
            raise BadInput(str(path), "the run's history has no numbers")
        return build_record(found, path, "weights_and_biases", columns)


def _read_run(file: Path) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The rows of a run's history, and its config.

    Raises:
        BadInput: an entry is not one of W&B.
    """
    from wandb.proto import wandb_internal_pb2

    history: list[dict[str, Any]] = []
    config: dict[str, Any] = {}
    for data in _read_entries(file):
        entry = wandb_internal_pb2.Record()  # type: ignore[attr-defined]  # made at import
        try:
            entry.ParseFromString(data)
        except Exception as error:  # protobuf's DecodeError; protobuf is W&B's dependency
            raise BadInput(str(file), f"an entry is damaged ({error})") from error
        try:
            kind = entry.WhichOneof("record_type")
            if kind == "history":
                history.append(_parse_items(entry.history.item))
            elif kind == "config":
                config |= _parse_items(entry.config.update)
        except (ValueError, RecursionError) as error:
            raise BadInput(str(file), f"an entry is not one of W&B ({error})") from error
    return history, config


def _parse_items(items: Iterable[Any]) -> dict[str, Any]:
    """Entries by name; W&B takes nested objects apart, and here they are put together again."""
    found: dict[str, Any] = {}
    for item in items:
        *outer, name = list(item.nested_key) or [item.key]
        place = found
        for key in outer:
            inner = place.setdefault(key, {})
            place = inner if isinstance(inner, dict) else {}
        place[name] = json.loads(item.value_json)
    return found


def _build_own(file: Path, history: list[dict[str, Any]], config: Mapping[str, Any]) -> Record:
    """The record of a run of gandiag; one step may have several rows."""
    rows: dict[int, dict[str, Value]] = {}
    try:
        for row in history:
            rows.setdefault(int(row.get(STEP, 0)), {}).update(
                (name, value) for name, item in row.items() for value in _parse_value(item)
            )
        uncharted = [str(row[UNCHARTED]).encode() for row in history if UNCHARTED in row]
        return build_own_record(rows, uncharted, config.get("facts", {}))
    except (ValueError, TypeError, AttributeError, LookupError, OverflowError) as error:
        raise BadInput(str(file), f"not the history of a run ({error})") from error


def _parse_value(item: Any) -> Iterator[Value]:
    """The number or the vector of an entry of the history; pictures and tables are neither."""
    if isinstance(item, dict) and item.get("_type") == "histogram":
        yield [float(bar) for bar in item["values"]]
    elif is_number(item) or item in ("NaN", "Infinity", "-Infinity"):
        yield float(item)


def _read_entries(file: Path) -> Iterator[bytes]:
    """The entries of a file in LevelDB's log format, up to the first incomplete one.

    The file is a sequence of blocks; a block is a sequence of chunks, each with a header and data.
    An entry is one chunk of type FULL, or a FIRST, any number of MIDDLE and a LAST chunk.
    """
    data = file.read_bytes()
    if data[: len(MAGIC)] != MAGIC:
        raise BadInput(str(file), "not a file that W&B wrote")
    position, entry = HEADER_SIZE, b""
    while position + CHUNK_HEADER.size <= len(data):
        left = BLOCK_SIZE - position % BLOCK_SIZE
        if left < CHUNK_HEADER.size:  # too short for a header: the rest of the block is padding
            position += left
            continue
        checksum, length, chunk_type = CHUNK_HEADER.unpack_from(data, position)
        start = position + CHUNK_HEADER.size
        chunk = data[start : start + length]
        # W&B's checksum covers the type and the data, with zlib's CRC-32 (LevelDB's is CRC-32C).
        if zlib.crc32(chunk, zlib.crc32(bytes([chunk_type]))) != checksum:
            return  # the run was killed while it wrote this chunk
        position = start + length
        entry = chunk if chunk_type in (FULL, FIRST) else entry + chunk
        if chunk_type in (FULL, LAST):
            yield entry
