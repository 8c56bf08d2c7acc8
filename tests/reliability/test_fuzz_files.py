"""Files of others are opened, or refused in one line: no traceback, no hang, no full memory."""

from __future__ import annotations

import sys

import pytest

from tests.reliability.fuzz_files import FORMATS, fuzz

# `python -m tests.reliability.fuzz_files 10000` opens 10,000 files of each format in half an hour.
COUNT = 200


@pytest.mark.parametrize("name", FORMATS)
def test_mutated_files_are_opened_or_refused(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each mutated file opens or is one printable line, within 5 seconds."""
    counts, failures = fuzz(name, COUNT)
    with capsys.disabled():
        sys.stdout.write(f"\n{name}: {dict(counts)}\n")
    assert not failures, failures[:3]
    assert counts["opened"] + counts["refused"] == COUNT
