"""Reads runs that Weights & Biases kept offline: its files, which its library no longer reads."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from gandiag.plugins.errors import BadInput
from gandiag.records.readers._table import columns_of, record_of
from gandiag.records.readers.json_lines import flat
from gandiag.records.record import Record

FILES = "*.wandb"
SIGN = b":W&B"  # then two bytes and a version
BLOCK = 32768
PIECE = struct.Struct("<IHB")  # checksum, length, type
FULL, FIRST, LAST = 1, 2, 4


@dataclass(frozen=True)
class WeightsAndBiases:
    """A run that W&B kept offline: its `.wandb` file, its folder, or a folder above with only one.

    It is read where it lies; no key is needed and nothing is sent.
    """

    def recognises(self, path: Path) -> bool:
        """Whether it is, or holds, a `.wandb` file."""
        return path.match(FILES) if path.is_file() else any(path.rglob(FILES))

    def read(self, path: Path, columns: Mapping[str, str]) -> Record:
        """Read the history; an unfinished run's is read as far as it was written."""
        files = sorted({file.resolve() for file in path.rglob(FILES)}) if path.is_dir() else [path]
        if len(files) > 1:  # latest-run is a link to one of them
            several = ", ".join(str(file.parent.name) for file in files)
            raise BadInput(str(path), f"holds several runs; name one of {several}")
        found = columns_of(_history(files[0]))
        if not found:
            raise BadInput(str(path), "the run's history holds no numbers")
        return record_of(found, path, "weights_and_biases", columns)


def _history(file: Path) -> Iterator[dict[str, float]]:
    from wandb.proto import wandb_internal_pb2

    for data in _entries(file):
        entry = wandb_internal_pb2.Record()  # type: ignore[attr-defined]  # made at import
        entry.ParseFromString(data)
        if entry.WhichOneof("record_type") == "history":
            items = entry.history.item
            row = {item.key or "/".join(item.nested_key): item.value_json for item in items}
            yield flat({name: json.loads(text) for name, text in row.items()}, "/")


def _entries(file: Path) -> Iterator[bytes]:
    """The entries of a file in LevelDB's log format, as far as they are whole.

    The format: blocks of 32 KiB; in a block pieces of (checksum, length, type) and data; an entry
    is one piece of the type FULL, or a FIRST, some MIDDLE, and a LAST.
    """
    data = file.read_bytes()
    if data[:4] != SIGN:
        raise BadInput(str(file), "not a file that W&B wrote")
    at, entry = len(SIGN) + 3, b""
    while at + PIECE.size <= len(data):
        left = BLOCK - at % BLOCK
        if left < PIECE.size:  # the rest of a block is padding
            at += left
            continue
        checksum, length, kind = PIECE.unpack_from(data, at)
        piece = data[at + PIECE.size : at + PIECE.size + length]
        if zlib.crc32(piece, zlib.crc32(bytes([kind]))) != checksum:
            return  # cut off while it was written
        at += PIECE.size + length
        entry = piece if kind in (FULL, FIRST) else entry + piece
        if kind in (FULL, LAST):
            yield entry
