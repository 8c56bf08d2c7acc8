"""Pages: the rows of a long ``signals.jsonl`` once more, as columns that are read fast.

To parse a row as JSON takes about 50 us, which is a minute for a million rows. So the recorder also
writes each `PAGE_ROWS` rows as one file of arrays in ``pages/``, with the place of these rows in
``signals.jsonl``. Only the rows behind the last page are then parsed. The lines stay the record:
where a page is missing, damaged, or not of these lines, the lines are read as if there were none.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from gandiag.records.aliases import rename_signal
from gandiag.records.storage import is_signal_name, write_file

PAGES_FOLDER = "pages"
# Rows of a page. Fewer rows make more files; the rows behind the last page take 1 s to parse.
PAGE_ROWS = 20_000

Columns = Mapping[str, tuple[NDArray[np.int64], NDArray[np.float64]]]


class Pages(NamedTuple):
    """The pages of a record.

    Attributes:
        columns: steps ``(n,)`` and values ``(n,)`` or ``(n, k)`` by signal. Signals that were
            measured at the same steps share one array of them.
        end: place in ``signals.jsonl``, in bytes, behind the last row of the pages.
        rows: number of these rows.
    """

    columns: Columns
    end: int
    rows: int


NO_PAGES = Pages({}, 0, 0)


def write_page(folder: Path, columns: Columns, begin: int, end: int, rows: int) -> None:
    """Write a page.

    Args:
        folder: folder of the record.
        columns: the columns of the page's rows.
        begin: place of the page's first row in ``signals.jsonl``, in bytes.
        end: place behind its last row.
        rows: number of its rows.

    Raises:
        OSError: the page cannot be written.
    """
    arrays: dict[str, NDArray[np.int64] | NDArray[np.float64]] = {}
    names: dict[bytes, str] = {}  # of the arrays of steps, by their content
    entries = []
    for number, (name, (steps, values)) in enumerate(columns.items()):
        shared = names.setdefault(steps.tobytes(), f"steps {len(names)}")
        arrays[shared], arrays[f"values {number}"] = steps, values
        entries.append([name, shared, f"values {number}"])
    about = {"begin": begin, "end": end, "rows": rows, "signals": entries}
    path = folder / PAGES_FOLDER / f"{begin:015d}.safetensors"
    path.parent.mkdir(exist_ok=True)
    write_file(path, save(arrays, {"page": json.dumps(about)}))


def read_pages(folder: Path, size: int) -> Pages:
    """Read the pages of a record, as far as they follow one another.

    Args:
        folder: folder of the record.
        size: size of its ``signals.jsonl`` in bytes; pages beyond it belong to another record.
    """
    found, end, rows = [], 0, 0
    for path in sorted((folder / PAGES_FOLDER).glob("*.safetensors")):
        try:
            begin, page = _read_page(path)
        except (SafetensorError, ValueError, TypeError, LookupError, OSError):
            break
        if begin != end or not begin < page.end <= size:
            break
        found.append(page.columns)
        end, rows = page.end, rows + page.rows
    try:
        return Pages(_join(found), end, rows)
    except ValueError:  # a signal with other numbers of entries, or steps that go back
        return NO_PAGES


def remove_pages(folder: Path, after: int = 0) -> None:
    """Remove the pages of a record that end behind a place in ``signals.jsonl``.

    Raises:
        OSError: they cannot be removed.
    """
    if not after:
        shutil.rmtree(folder / PAGES_FOLDER, ignore_errors=True)
        return
    for path in (folder / PAGES_FOLDER).glob("*.safetensors"):
        try:
            is_kept = _read_page(path)[1].end <= after
        except (SafetensorError, ValueError, TypeError, LookupError):
            is_kept = False
        if not is_kept:
            path.unlink()


def _read_page(path: Path) -> tuple[int, Pages]:
    """Read one page; return where its first row begins, and the page.

    Raises:
        SafetensorError, ValueError, TypeError, LookupError, OSError: it is no page.
    """
    with safe_open(path, "numpy") as file:
        about = json.loads(file.metadata()["page"])
        steps: dict[str, NDArray[np.int64]] = {}
        columns = {}
        for name, shared, values in about["signals"]:
            if shared not in steps:
                steps[shared] = np.asarray(file.get_tensor(shared), np.int64)
            column = np.asarray(file.get_tensor(values), np.float64)
            if len(column) != len(steps[shared]) or not is_signal_name(name):
                raise ValueError(f"{name}: not a column of a page")
            columns[rename_signal(name)] = steps[shared], column
    return int(about["begin"]), Pages(columns, int(about["end"]), int(about["rows"]))


def _join(pages: Iterable[Columns]) -> Columns:
    """Join the columns of pages.

    Raises:
        ValueError: the values of a signal do not fit together, or its steps go back.
    """
    parts: dict[str, list[tuple[NDArray[np.int64], NDArray[np.float64]]]] = {}
    for page in pages:
        for name, column in page.items():
            parts.setdefault(name, []).append(column)
    joined: dict[tuple[int, ...], NDArray[np.int64]] = {}  # by the identities of the parts
    columns = {}
    for name in list(parts):
        each = parts[name]
        key = tuple(id(steps) for steps, _ in each)
        if key not in joined:
            joined[key] = np.concatenate([steps for steps, _ in each])
            if (np.diff(joined[key]) < 0).any():
                raise ValueError(f"{name}: the steps go back")
        columns[name] = joined[key], np.concatenate([values for _, values in each])
        # The parts are dropped one by one, as all together take as much memory again.
        parts[name] = [(steps, values[:0]) for steps, values in each]
    return columns
