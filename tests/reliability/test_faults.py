"""Nothing of gandiag ends a training: any of its functions may raise at any of its calls."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

from tests.reliability.faults import list_faults, play

# Of about 1,100 faults that a run reaches; one takes half a second.
SAMPLE = 40


@pytest.mark.skipif(sys.version_info < (3, 11), reason="code has no qualified name before 3.11")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_any_function_may_raise(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """If a function raises, the loop ends with the same bits, and its next line runs."""
    if sys.gettrace() is not None or sys.getprofile() is not None:
        pytest.skip("the interpreter's profiler is in use")
    faults, _ = list_faults(tmp_path / "counted")
    sample = random.Random(0).sample(faults, SAMPLE)
    counts, lost = play(sample, tmp_path)
    with capsys.disabled():
        sys.stdout.write(f"\n{SAMPLE} of {len(faults)} faults: {dict(counts)}\n")
    assert not lost, lost
    assert counts["raised"] > 0.9 * SAMPLE
