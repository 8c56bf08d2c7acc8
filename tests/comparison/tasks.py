"""Tasks for workers; they load next to nothing, so that a worker begins at once."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from gandiag.plugins.errors import BadInput

__all__ = ["dies_always", "dies_once", "holds", "refuses"]

HELD = 0.3  # seconds: long beside the milliseconds in which a task is handed out


def dies_once(place: Path) -> str:
    """Kill the process that it is called in at the place called fatal, but not the second time."""
    marker = place.with_suffix(".tried")
    if place.name == "fatal" and not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return place.name


def dies_always(place: Path) -> str:
    """Kill the process that it is called in."""
    os.kill(os.getpid(), signal.SIGKILL)
    return place.name


def refuses(place: Path) -> str:
    """Refuse its input, as a game whose data are gone does."""
    raise BadInput(str(place), "cannot be played")


def holds(number: int) -> tuple[float, float, str]:
    """When it began and ended, and which GPUs it was told of."""
    began = time.time()
    time.sleep(HELD)
    return began, time.time(), os.environ.get("CUDA_VISIBLE_DEVICES", "")
