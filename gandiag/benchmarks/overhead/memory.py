"""How much memory a watch takes, and whether it takes more as the training goes on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from gandiag.benchmarks.overhead.loops import attached
from gandiag.benchmarks.overhead.models import BenchModel
from gandiag.plugins.errors import BadInput

BEFORE = 100  # steps without a watch, after which the loop itself takes no more
PARTS = 20  # looks at the memory on the way
STATUS = Path("/proc/self/statm")  # Linux's; its second number counts resident pages


class Held(NamedTuple):
    """What this process holds in memory because of a watch.

    Attributes:
        step: of each player, since the watch began.
        megabytes: resident, in 10**6 bytes, above what the bare loop held.
    """

    step: int
    megabytes: float


def held(game: BenchModel, steps: int) -> Iterator[Held]:
    """Play a game bare, then under a watch, and look at the memory on the way.

    Raises:
        BadInput: the memory of a process cannot be read here.
    """
    game.play(BEFORE)
    before = _resident()
    with attached(game, {}):
        for part in range(1, PARTS + 1):
            end, begin = steps * part // PARTS, steps * (part - 1) // PARTS
            game.play(end - begin)
            yield Held(end, _resident() - before)


def _resident() -> float:
    if not STATUS.is_file():
        raise BadInput("--memory", f"needs {STATUS}, which only Linux has")
    return int(STATUS.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
