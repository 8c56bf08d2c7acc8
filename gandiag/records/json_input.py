"""JSON files of unknown origin: read within bounds, so that no later code meets a surprise.

A run's folder may be a third party's, or come from a disk that failed. Whatever it holds either is
plain data within these bounds, or is refused with one line.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

#: Most bytes of a JSON file that is read as a whole. gandiag's own have a few thousand; the shares
#: of a million classes, the longest fact that data can bring, take 10 MB.
MAX_BYTES = 16 * 2**20
#: Deepest nesting of lists and mappings. gandiag's own files have 5 levels; Python's recursion,
#: which writing and showing them needs, ends at 1,000.
MAX_NESTING = 100
#: Integers must fit into a float64, whose largest value has 309 digits.
MAX_INTEGER = 10**308


def read_json_file(path: Path) -> Any:
    """Read a JSON file as plain data.

    Raises:
        OSError: the file cannot be read.
        ValueError: the file is no JSON, or it exceeds one of the bounds above.
    """
    if not path.is_file():  # a named pipe would block, and a device may never end
        raise FileNotFoundError(2, "No such file", str(path))
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ValueError(f"more than {MAX_BYTES // 2**20} MB")
    return parse_json(data)


def parse_json(data: bytes | str) -> Any:
    """Parse JSON text; its texts become valid Unicode.

    Raises:
        ValueError: the text is no JSON, it is nested too deeply, or a number is too large.

    >>> parse_json('{"a": [1, "b"]}')
    {'a': [1, 'b']}
    """
    try:
        return _check(json.loads(data), MAX_NESTING)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _check(data: Any, levels: int) -> Any:
    if isinstance(data, str):
        # JSON can write half of a surrogate pair, which no UTF-8 file can hold.
        return data if data.isascii() else data.encode("utf-8", "replace").decode()
    if isinstance(data, int) and not isinstance(data, bool) and abs(data) > MAX_INTEGER:
        raise ValueError(f"a number of more than {math.log10(MAX_INTEGER):.0f} digits")
    if not isinstance(data, dict | list):
        return data
    if levels == 0:
        raise ValueError(f"nested more than {MAX_NESTING} levels deep")
    if isinstance(data, list):
        return [_check(item, levels - 1) for item in data]
    return {_check(key, 0): _check(value, levels - 1) for key, value in data.items()}
