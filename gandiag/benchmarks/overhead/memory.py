"""Memory: how much memory watching takes, and whether it grows with the training."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from gandiag.benchmarks.overhead.loops import attach_gandiag
from gandiag.benchmarks.overhead.models import BenchModel
from gandiag.plugins.errors import BadInput

UNWATCHED_STEPS = 100  # Steps before watching, after which the loop itself needs no more memory.
MEASUREMENTS = 20  # Measurements of the memory during the training.
STATM = Path("/proc/self/statm")  # Linux only; its second number is the count of resident pages.


class MemoryUse(NamedTuple):
    """Memory that this process uses because of watching.

    Attributes:
        step: number of steps of each network since watching began.
        megabytes: resident memory in 10**6 bytes, above that of the unwatched loop.
    """

    step: int
    megabytes: float


def track_memory(model: BenchModel, steps: int) -> Iterator[MemoryUse]:
    """Train a model unwatched, then watched, and measure the memory along the way.

    Raises:
        BadInput: the memory of a process cannot be read on this system.
    """
    model.train(UNWATCHED_STEPS)
    before = _resident_megabytes()
    with attach_gandiag(model, {}):
        for part in range(1, MEASUREMENTS + 1):
            begin, end = steps * (part - 1) // MEASUREMENTS, steps * part // MEASUREMENTS
            model.train(end - begin)
            yield MemoryUse(end, _resident_megabytes() - before)


def _resident_megabytes() -> float:
    if not STATM.is_file():
        raise BadInput("--memory", f"needs {STATM}, which only Linux has")
    return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
