"""Files of a run: whole files, lines of ``signals.jsonl``, and JSON with non-finite numbers.

JSON has no NaN and no infinity (RFC 8259, section 6). Python's `json` writes them nevertheless, as
bare words that most other parsers refuse. gandiag writes the strings "NaN", "Infinity" and
"-Infinity" instead, in every file and on every ``--json`` output.
"""

from __future__ import annotations

import functools
import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from gandiag.records.aliases import rename_facts, rename_signal

Value: TypeAlias = "float | list[float]"

#: Largest step of a record: figures compute with steps as float64, which is exact up to here.
MAX_STEP = 2**53
#: Most characters of the name of a signal.
MAX_NAME = 300
#: JSON strings that stand for a number.
_NON_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def write_file(path: Path, content: str | bytes) -> None:
    """Write a whole file in one step: a reader finds the old file or the new one, never a part.

    The content goes to a temporary file in the same folder, which then replaces `path`; within one
    file system the replacement is atomic. Text is encoded as UTF-8.

    Raises:
        OSError: the file cannot be written; an older file at `path` is unchanged.
    """
    # The process id keeps two processes apart that write the same file at the same time.
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    # Half of a surrogate pair, as JSON and YAML can write it, has no UTF-8: it becomes "?".
    data = content.encode(errors="replace") if isinstance(content, str) else content
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json_file(path: Path, data: Any) -> None:
    """Write plain data as an indented JSON file, with non-finite numbers as strings.

    Raises:
        OSError: the file cannot be written; an older file at `path` is unchanged.
    """
    write_file(path, format_json(data) + "\n")


def format_json(data: Any) -> str:
    """Plain data as indented JSON text, with non-finite numbers as strings.

    The text is pure ASCII: a terminal or pipe of any encoding can print it, and file names that are
    not valid UTF-8 do not raise.

    >>> format_json(float("inf"))
    '"Infinity"'
    """
    return json.dumps(encode(data), indent=2, allow_nan=False)


def encode(data: Any) -> Any:
    """Plain data with each non-finite number replaced by its string; all else stays as it is.

    >>> encode({"distance": float("nan"), "steps": (1, float("-inf"))})
    {'distance': 'NaN', 'steps': [1, '-Infinity']}
    """
    if isinstance(data, float):
        return encode_number(data)
    if isinstance(data, Mapping):
        return {key: encode(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [encode(item) for item in data]
    return data


def encode_number(value: float) -> float | str:
    """A number as JSON can hold it.

    >>> encode_number(1.5), encode_number(float("inf"))
    (1.5, 'Infinity')
    """
    if math.isfinite(value):
        return float(value)
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def decode_number(value: float | str) -> float:
    """A number out of JSON; the inverse of `encode_number`.

    >>> decode_number(2), decode_number("-Infinity")
    (2.0, -inf)

    Raises:
        ValueError: the value is a string that stands for no number.
        TypeError: the value is neither a number nor a string.
    """
    if not isinstance(value, str):
        return float(value)
    if value not in _NON_FINITE:
        raise ValueError(f"{value!r} is not a number")
    return _NON_FINITE[value]


def decode_facts(data: Mapping[str, Any]) -> dict[str, Any]:
    """Facts out of ``environment.json``, under current names and with non-finite numbers restored.

    >>> decode_facts({"scale": "NaN", "shape": [1, 28, 28]})
    {'real_pair_distance': nan, 'shape': [1, 28, 28]}
    """
    return {name: _restore(value) for name, value in rename_facts(data).items()}


def _restore(value: Any) -> Any:
    if isinstance(value, list):
        return [_restore(item) for item in value]
    return _NON_FINITE.get(value, value) if isinstance(value, str) else value


def encode_row(step: int, signals: Mapping[str, Value]) -> str:
    """The measurements of one step as a line of ``signals.jsonl``, with its line end."""
    data = {"step": step, "signals": encode(signals)}
    return json.dumps(data, allow_nan=False) + "\n"


def decode_row(line: bytes) -> tuple[int, dict[str, Value]]:
    """The step and the signals of a line of ``signals.jsonl``, under the current signal names.

    Raises:
        ValueError: the line is not a row.
    """
    try:
        data = json.loads(line)
        step = _check_step(data["step"])
        signals = {rename_signal(name): _decode(value) for name, value in data["signals"].items()}
    except (KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error
    if not all(map(is_signal_name, signals)):
        raise ValueError("a name of a signal is empty, too long or not printable")
    return step, signals


def _check_step(step: Any) -> int:
    if isinstance(step, bool) or not isinstance(step, int | float) or step != int(step):
        raise ValueError("the step is not a whole number")
    if not 0 <= step <= MAX_STEP:
        raise ValueError("the step is out of range")
    return int(step)


@functools.cache  # a record repeats the same few dozen names in every row
def is_signal_name(name: str) -> bool:
    """Whether a text may be the name of a signal."""
    # Names become titles, labels and columns, also of a terminal. Names of signals of single
    # weights contain the name of the weight, which has at most about 100 characters.
    return 0 < len(name) <= MAX_NAME and name.isprintable()


def keep_rows(path: Path, count: int) -> list[tuple[int, dict[str, Value]]]:
    """Remove all rows of a ``signals.jsonl`` but the first `count`, and return these.

    Raises:
        ValueError: there are fewer rows, or one of them is damaged.
        OSError: the file cannot be read or written.
    """
    with path.open("rb+") as file:
        lines = [file.readline() for _ in range(count)]
        # The last one has no line end if the process ended while it was being written.
        if lines and not lines[-1].endswith(b"\n"):
            raise ValueError(f"{path} has fewer than {count} whole rows")
        file.truncate(file.tell())
    return [decode_row(line) for line in lines]


def sync_file(path: Path) -> None:
    """Wait until what was written to a file is on the disk, so that it survives a power cut."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _decode(value: float | str | Sequence[float | str]) -> Value:
    if isinstance(value, list):
        if not value:
            raise ValueError("a vector without entries")
        return [decode_number(item) for item in value]
    return decode_number(value)  # type: ignore[arg-type]
