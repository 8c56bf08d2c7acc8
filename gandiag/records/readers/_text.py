"""The text of a log file: any encoding, gzipped or not, of bounded size."""

from __future__ import annotations

import codecs
import gzip
import re
import zlib
from pathlib import Path

from gandiag.plugins.errors import BadInput

#: Most bytes that are read of one log, after unzipping. A longer log is cut here: a small gzipped
#: file may unpack to any size. A row of two losses has about 60 bytes, so this is a million rows.
MAX_BYTES = 64 * 2**20
#: A gzipped log unpacks to at most this multiple of its size. Numbers compress 3 to 20 times; what
#: unpacks to more may be made to take all memory.
MAX_RATIO = 100
LEAST_UNPACKED = 2**20  # bytes that any gzipped log may unpack to, as a short one has no such limit
#: Bytes that are read to recognise the format of a file.
HEAD_BYTES = 2**16
# Share of unreadable characters of a text, which may be in an encoding of one byte per letter.
MAX_UNREADABLE = 0.2
# UTF-16 is what `>` writes in Windows PowerShell. A byte order mark begins each of these encodings.
_ENCODINGS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# Colours and cursor movements of a terminal (ECMA-48), and window titles.
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\^_])")
# Progress bars go back to the begin of the line with a carriage return or with backspaces.
_REWINDS = re.compile(r"\r+\n?|\x08+|\x0b|\x0c|\x85|\u2028|\u2029")


def read_text(path: Path, limit: int = MAX_BYTES) -> str:
    """Read at most `limit` bytes of a file as text; unreadable bytes become U+FFFD.

    Raises:
        BadInput: the file cannot be read, or cannot be unzipped to a text of usual size.
    """
    is_zipped = path.name.lower().endswith(".gz")
    open_file = gzip.open if is_zipped else open
    try:
        most = max(LEAST_UNPACKED, MAX_RATIO * path.stat().st_size)
        with open_file(path, "rb") as file:
            data = file.read(limit)
    except (OSError, EOFError, zlib.error) as error:
        raise BadInput(str(path), f"cannot be read: {error}") from error
    if is_zipped and len(data) > most:
        raise BadInput(str(path), f"unzips to more than {MAX_RATIO} times its size; unzip it first")
    marks = (mark for mark in _ENCODINGS if data.startswith(mark))
    return data.decode(_ENCODINGS.get(next(marks, b""), "utf-8"), errors="replace")


def read_head(path: Path) -> str:
    """Read the begin of a file as text; empty if it is not a text file or cannot be read."""
    try:
        head = read_text(path, HEAD_BYTES)
    except BadInput:
        return ""
    # No text has a NUL; formats such as pickle, zip or event files of TensorBoard have many.
    is_text = "\0" not in head and head.count("\ufffd") <= MAX_UNREADABLE * len(head)
    return head if is_text else ""


def split_lines(text: str) -> list[str]:
    r"""Split the text of a terminal into lines, without colours; a rewound line is a line too.

    >>> split_lines("\x1b[31mloss\x1b[0m 1\r\n10%\r20%\n")
    ['loss 1', '10%', '20%']
    """
    if "\x1b" in text:
        text = _ESCAPES.sub("", text)
    text = _REWINDS.sub("\n", text)
    return [line for line in text.split("\n") if line and not line.isspace()]
