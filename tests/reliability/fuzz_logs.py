"""Mutated logs of every format that a reader knows, for `tests.reliability.fuzz_files`.

A valid log of each format is small, and has 40 rows of both losses. Where a format has checksums,
most mutations mend them, so that the mutated part reaches the reader.
"""

from __future__ import annotations

import gzip
import json
import sqlite3
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from gandiag.plugins import registry as plugins
from gandiag.records.own_output import EVENTS_NAME
from gandiag.reports.saved_runs import diagnose, reopen_report
from tests.reliability.mutations import (
    Mutator,
    any_of,
    mutate_bytes,
    mutate_json,
    mutate_text,
    mutate_value,
)

ROWS = [{"step": 100 * k, "d_loss": 1 / (k + 1), "g_loss": 0.5 + k / 9} for k in range(40)]
TABLE = "step,d_loss,g_loss\n" + "".join(f"{','.join(map(str, row.values()))}\n" for row in ROWS)
PRINTED = "".join(
    f"[{k // 10}/4][{k % 10}/10]\tLoss_D: {row['d_loss']:.4f} Loss_G: {row['g_loss']:.4f} "
    f"lr: (1e-4,) 12:30:{k:02d}\n"
    for k, row in enumerate(ROWS)
)
#: Numbers in place of a cell of a table or of a printed number.
NUMBERS = (
    "nan",
    "inf",
    "-inf",
    "1e308",
    "1e-320",
    "-1",
    "9" * 400,
    "1e999",
    "1,5",
    "",
    "0x1F",
    "1_0",
)


def _write(name: str, text: str) -> Callable[[Path], Path]:
    def prepare(folder: Path) -> Path:
        (folder / name).write_text(text, encoding="utf-8")
        return folder / name

    return prepare


def _open(folder: Path, is_drawn: bool) -> None:
    """Diagnose the only log of the folder, sometimes as the command line does."""
    path = next(path for path in folder.iterdir() if path.name != "meta.yaml")
    if is_drawn:
        plugins.build("reporters", "console").publish(reopen_report(path), folder)
    else:
        diagnose(path)


def _mutate_number(data: bytes, random: Random) -> bytes:
    """A number of a text replaced, in up to all of its lines."""
    lines = data.decode("utf-8", "replace").split("\n")
    for at in random.sample(range(len(lines)), random.choice((1, 2, len(lines)))):
        words = lines[at].replace(",", " , ").replace(":", ": ").split(" ")
        words[random.randrange(len(words))] = random.choice(NUMBERS)
        lines[at] = "".join(words) if "," in words else " ".join(words)
    return "\n".join(lines).encode()


TEXT = any_of(_mutate_number, _mutate_number, mutate_text, mutate_bytes)


def _zip_mutated(data: bytes, random: Random) -> bytes:
    """The text within a gzipped file, with its checksum; a bomb; or the bytes of the file."""
    kind = random.randrange(4)
    if kind == 0:
        return mutate_bytes(data, random)
    if kind == 1 and random.random() < 0.05:  # as much as one of 10,000 files may cost
        return gzip.compress(random.choice((b"1,", b"\0", b"[", b"d: 1 ")) * 2 * 10**7, 1)
    return gzip.compress(TEXT(gzip.decompress(data), random))


def _prepare_gzip(folder: Path) -> Path:
    (folder / "log.csv.gz").write_bytes(gzip.compress(TABLE.encode()))
    return folder / "log.csv.gz"


def _prepare_notebook(folder: Path) -> Path:
    cells = [{"outputs": [{"name": "stdout", "text": PRINTED.splitlines(keepends=True)}]}] * 2
    return _write("train.ipynb", json.dumps({"nbformat": 4, "cells": cells}))(folder)


def _prepare_trackio(folder: Path) -> Path:
    connection = sqlite3.connect(folder / "gan.db")
    connection.execute(
        "CREATE TABLE metrics (id INTEGER PRIMARY KEY, run_name TEXT, step INTEGER, metrics TEXT)"
    )
    for row in ROWS:
        values = ("run", row["step"], json.dumps(row))
        query = "INSERT INTO metrics (run_name, step, metrics) VALUES (?, ?, ?)"
        connection.execute(query, values)
    connection.commit()
    connection.close()
    return folder / "gan.db"


def _prepare_mlflow(folder: Path) -> Path:
    (folder / "run" / "metrics").mkdir(parents=True)
    (folder / "run" / "meta.yaml").write_text("run_id: a")
    for name in ("d_loss", "g_loss"):
        text = "".join(f"1700000000000 {row[name]} {row['step']}\n" for row in ROWS)
        (folder / "run" / "metrics" / name).write_text(text)
    return folder / "run" / "metrics" / "d_loss"


# TensorBoard's records: length, its checksum, data, checksum of the data.


def _frame_event(data: bytes) -> bytes:
    from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c

    length = struct.pack("<Q", len(data))
    checks = (struct.pack("<I", masked_crc32c(part)) for part in (length, data))
    return length + next(checks) + data + next(checks)


def _split_events(data: bytes) -> list[bytes]:
    events, at = [], 0
    while at + 12 <= len(data):
        (size,) = struct.unpack_from("<Q", data, at)
        events.append(data[at + 12 : at + 12 + size])
        at += 16 + size
    return events


def _prepare_events(name: str) -> Callable[[Path], Path]:
    def prepare(folder: Path) -> Path:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary

        events = [Event(wall_time=1, file_version="brain.Event:2")]
        for row in ROWS[:12]:
            tags = {
                "loss/value/discriminator": row["d_loss"],
                "loss/value/generator": row["g_loss"],
            }
            values = [Summary.Value(tag=tag, simple_value=value) for tag, value in tags.items()]
            tensor = {"dtype": "DT_FLOAT", "float_val": [1.0], "tensor_shape": {"dim": []}}
            values.append(Summary.Value(tag="other", tensor=tensor))
            values.append(Summary.Value(tag="a/b/c", histo={"bucket": [1, 2], "num": 3}))
            text = {"dtype": "DT_STRING", "string_val": [b'{"step": 0, "signals": {"a/b/d": [1]}}']}
            values.append(Summary.Value(tag="gandiag/uncharted", tensor=text))
            events.append(Event(step=int(row["step"]), summary=Summary(value=values)))
        (folder / name).write_bytes(b"".join(_frame_event(e.SerializeToString()) for e in events))
        return folder / name

    return prepare


def _mutate_events(data: bytes, random: Random) -> bytes:
    """One event changed, with its checksum; two exchanged; or the bytes of the file."""
    kind = random.randrange(5)
    if kind == 0:
        return mutate_bytes(data, random)
    events = _split_events(data)
    at, other = random.randrange(len(events)), random.randrange(len(events))
    if kind == 1:
        events[at], events[other] = events[other], events[at]
    elif kind == 2:
        events[at] = _change_event(events[at], random)
    else:
        events[at] = mutate_bytes(events[at], random)
    return b"".join(map(_frame_event, events))


def _change_event(data: bytes, random: Random) -> bytes:
    """An event with another step, another number, or a tensor that says more than it holds."""
    from tensorboard.compat.proto.event_pb2 import Event

    event = Event()
    event.ParseFromString(data)
    event.step = random.choice((-1, 0, 2**53 + 1, 2**63 - 1, -(2**63), 5))
    if event.summary.value:
        value = random.choice(event.summary.value)
        value.tag = random.choice((value.tag, "", "x" * 5000, "d_loss", "gandiag/facts"))
        if value.HasField("tensor"):
            value.tensor.dtype = random.choice((1, 2, 3, 7, 0, 19, 99))
            value.tensor.tensor_shape.dim.add(size=random.choice((0, -1, 10**9, 10**15, 1)))
        else:
            value.simple_value = random.choice((float("nan"), float("inf"), 3e38, -0.0))
    return bytes(event.SerializeToString())


# W&B's chunks: checksum of type and data, length, type, data. Each entry here is one chunk.


def _frame_entry(data: bytes) -> bytes:
    data = data[: 2**15 - 7]  # of one block of the file
    check = zlib.crc32(data, zlib.crc32(b"\1"))
    return struct.pack("<IHB", check, len(data), 1) + data


def _prepare_wandb(is_own: bool) -> Callable[[Path], Path]:
    def prepare(folder: Path) -> Path:
        from wandb.proto import wandb_internal_pb2

        step = "generator_step" if is_own else "iter"
        entries = []
        for row in ROWS:
            data = {step: row["step"], "loss/value/discriminator": row["d_loss"]}
            data |= {"loss/value/generator": row["g_loss"], "a/b/c": {"_type": "histogram"}}
            entry = wandb_internal_pb2.Record()  # type: ignore[attr-defined]  # made at import
            for name, value in _flatten(data):
                entry.history.item.add(nested_key=name, value_json=json.dumps(value))
            entry.history.item.add(nested_key=["a/b/c", "values"], value_json="[1, 2]")
            entries.append(entry)
        config = wandb_internal_pb2.Record()  # type: ignore[attr-defined]
        config.config.update.add(key="facts", value_json='{"steps": 9, "shape": [1]}')
        frames = (_frame_entry(e.SerializeToString()) for e in (*entries, config))
        (folder / "run.wandb").write_bytes(b":W&B\xe1\xbe\x00" + b"".join(frames))
        return folder / "run.wandb"

    return prepare


def _flatten(data: dict[str, Any]) -> list[tuple[list[str], Any]]:
    return [
        ([name, key] if isinstance(value, dict) else [name], item)
        for name, value in data.items()
        for key, item in (value.items() if isinstance(value, dict) else [("", value)])
    ]


def _mutate_wandb(data: bytes, random: Random) -> bytes:
    """The JSON text of an item changed, or an entry, with its checksum; or the file's bytes."""
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
    from wandb.proto import wandb_internal_pb2

    kind = random.randrange(4)
    if kind == 0:
        return mutate_bytes(data, random)
    entries, at = [], 7
    while at + 7 <= len(data):
        (size,) = struct.unpack_from("<H", data, at + 4)
        entries.append(data[at + 7 : at + 7 + size])
        at += 7 + size
    chosen = random.randrange(len(entries))
    entry = wandb_internal_pb2.Record()  # type: ignore[attr-defined]  # made at import
    try:
        entry.ParseFromString(entries[chosen])
    except DecodeError:
        kind = 1
    items = list(entry.history.item) + list(entry.config.update)
    if kind == 1 or not items:
        entries[chosen] = mutate_bytes(entries[chosen], random)
    else:
        item = random.choice(items)
        value = mutate_value(json.loads(item.value_json), random)
        item.value_json = (
            json.dumps(value, default=str).encode("utf-8", "replace").decode()[:20_000]
        )
        entries[chosen] = entry.SerializeToString()
    return data[:7] + b"".join(map(_frame_entry, entries))


JSON = any_of(mutate_json, mutate_json, mutate_text, mutate_bytes)
LINES = "".join(f"{json.dumps(row)}\n" for row in ROWS)
DOCUMENT = json.dumps({"history": {key: [row[key] for row in ROWS] for key in ROWS[0]}})
#: Format -> how a valid log is written, how it is mutated, and how it is opened.
LOG_FORMATS: dict[str, tuple[Callable[[Path], Path], Mutator, Callable[[Path, bool], None]]] = {
    "csv": (_write("log.csv", TABLE), TEXT, _open),
    "csv_gz": (_prepare_gzip, _zip_mutated, _open),
    "json_lines": (_write("log.jsonl", LINES), JSON, _open),
    "json_document": (_write("history.json", DOCUMENT), JSON, _open),
    "console": (_write("train.log", PRINTED), TEXT, _open),
    "notebook": (_prepare_notebook, JSON, _open),
    "mlflow": (_prepare_mlflow, TEXT, _open),
    "trackio": (_prepare_trackio, mutate_bytes, _open),
    "tensorboard": (_prepare_events("events.out.tfevents.1"), _mutate_events, _open),
    "own_tensorboard": (_prepare_events(EVENTS_NAME), _mutate_events, _open),
    "wandb": (_prepare_wandb(False), _mutate_wandb, _open),
    "own_wandb": (_prepare_wandb(True), _mutate_wandb, _open),
}
