"""Tasks for workers. The module imports almost nothing, so that a worker starts quickly."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from gandiag.plugins.errors import BadInput

DURATION = 0.3  # Seconds; much longer than the milliseconds that it takes to assign a task.


def die_once(path: Path) -> str:
    """Kill the own process if the path's name is "fatal" and this is the first call."""
    marker = path.with_suffix(".tried")
    if path.name == "fatal" and not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return path.name


def die_always(path: Path) -> str:
    """Kill the own process."""
    os.kill(os.getpid(), signal.SIGKILL)
    return path.name


def refuse_input(path: Path) -> str:
    """Raise `BadInput`, as a run does whose data are missing."""
    raise BadInput(str(path), "cannot be trained")


def wait(number: int) -> tuple[float, float, str]:
    """Return the times of begin and end, and the GPUs that are visible to the task."""
    began = time.time()
    time.sleep(DURATION)
    return began, time.time(), os.environ.get("CUDA_VISIBLE_DEVICES", "")
