"""A run that is killed at any moment leaves a folder that opens, and can go on."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.reliability.kills import play

KILLS = 3


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the runs are forked children")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_killed_runs_open_and_go_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """At most the steps since the last flush are lost; the resumed run has the same signals."""
    counts, failures = play(KILLS, tmp_path)
    with capsys.disabled():
        sys.stdout.write(f"\n{KILLS} kills: {dict(counts)}\n")
    assert not failures, failures
    assert counts["killed"]
