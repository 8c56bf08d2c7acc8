"""Kills runs at random moments, and checks what they leave.

``python -m tests.reliability.kills 100`` kills 100 runs, every tenth of them a comparison
(minutes); the suite kills a few. Each run is a forked child of one process that has loaded all
modules, so that a kill hits the run, not the loading.
"""

from __future__ import annotations

import mmap
import os
import random
import signal
import struct
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from gandiag.comparison.compare import compare
from gandiag.comparison.parallel import Workers
from gandiag.models.gan import GAN
from gandiag.records.claim import Claim
from gandiag.records.record import SIGNALS_FILE, Record
from gandiag.records.run_folder import STATE_FILE
from gandiag.scenario.schema import Scenario
from gandiag.training.pipeline import Continuity, run

STEPS = 200
FLUSH = 50  # steps between two flushes, the most that a kill may cost
SCENARIO: dict[str, Any] = {
    "name": "tiny",
    "data": {"ring": {"samples": 300, "held_out": 200}},
    "variant": {"vanilla": {"width": 8}},
    "training": {"steps": STEPS, "batch_size": 16, "averaging": 0.9},
    "probes": {"diversity": {"every": 20}},
    "detection": {"every": 100},
    "sample_grid_every": 50,
    "reporters": ["json"],
    "device": "cpu",
}


class Child:
    """A forked process that can be killed, and tells how many steps it has trained."""

    def __init__(self, work: Callable[[Callable[[int, GAN], None]], object]) -> None:
        """Start `work` with an observer that notes the steps."""
        self._memory = mmap.mmap(-1, 8)
        self.process = os.fork()
        if self.process == 0:
            status = 1
            try:
                torch.set_num_threads(1)
                work(lambda step, _: self._memory.__setitem__(slice(0, 8), struct.pack("q", step)))
                status = 0
            finally:
                os._exit(status)

    @property
    def step(self) -> int:
        """Generator steps that have been completed."""
        return int(struct.unpack("q", self._memory[:])[0])

    def wait(self) -> int:
        """Wait for the end; return the exit status."""
        return os.waitstatus_to_exitcode(os.waitpid(self.process, 0)[1])

    def kill(self, seconds: float) -> bool:
        """Kill the process after some seconds; return whether it was still running."""
        time.sleep(seconds)
        ended, status = os.waitpid(self.process, os.WNOHANG)
        if ended:
            assert status == 0, "the run has failed"
            return False
        os.kill(self.process, signal.SIGKILL)
        return self.wait() == -signal.SIGKILL


def train(folder: Path, observe: Callable[[int, GAN], None], is_resumed: bool = False) -> None:
    """Train in a claimed folder, as ``gandiag run`` does."""
    with Claim(folder, "here"):
        continuity = Continuity(checkpoint_every=60, is_resumed=is_resumed)
        run(Scenario.parse(SCENARIO), folder, observers=[observe], continuity=continuity)


def check(folder: Path, whole: Path, step: int) -> str:
    """Check a killed run against the whole one; return what is wrong, or nothing."""
    if not (folder / SIGNALS_FILE).is_file():
        return "" if step == 0 else "no record"
    record, expected = Record.load(folder), (whole / SIGNALS_FILE).read_bytes()
    content = (folder / SIGNALS_FILE).read_bytes()
    if not expected.startswith(content):
        return "other rows"
    if record.last_step < step - FLUSH - 1:
        return f"killed after step {step}, the last row is of step {record.last_step}"
    is_resumed = (folder / STATE_FILE).is_file()
    if Child(lambda observe: train(folder, observe, is_resumed)).wait() != 0:
        return "cannot go on"
    if (folder / SIGNALS_FILE).read_bytes() != expected:
        return "other rows after going on"
    return ""


def compare_runs(folder: Path) -> None:
    """Compare one fix over one seed."""
    scenario = Scenario.parse({**SCENARIO, "reporters": []})
    options: dict[str, Any] = {"seeds": 1, "workers": Workers(jobs=1), "threads": 1}
    compare(scenario, ["r1"], folder, resume=True, **options)


def check_comparison(folder: Path) -> str:
    """Check that each record below the folder opens, and that the comparison can go on."""
    for path in folder.glob(f"**/{SIGNALS_FILE}"):
        Record.load(path.parent)
    if Child(lambda _: compare_runs(folder)).wait() != 0:
        return "cannot go on"
    finished = list(folder.glob("*/*/outcome.json"))
    return "" if len(finished) == 2 else f"{len(finished)} of 2 runs are finished"


def play(count: int, folder: Path, seed: int = 0) -> tuple[Counter[str], list[str]]:
    """Kill so many runs; return counts, and descriptions of what was lost."""
    draw = random.Random(seed)
    # Twice: the first run loads the modules, the second one takes as long as the children's.
    for name in ("first", "whole"):
        start = time.monotonic()
        train(folder / name, lambda step, gan: None)
    seconds = time.monotonic() - start
    counts: Counter[str] = Counter()
    failures = []
    for number in range(count):
        here, is_comparison = folder / str(number), number % 10 == 9
        child = Child(
            (lambda _, here=here: compare_runs(here))  # type: ignore[misc]
            if is_comparison
            else (lambda observe, here=here: train(here, observe))  # type: ignore[misc]
        )
        was_killed = child.kill(draw.uniform(0, seconds))
        counts["killed" if was_killed else "ended before"] += 1
        counts["comparisons"] += is_comparison
        try:
            lost = (
                check_comparison(here)
                if is_comparison
                else check(here, folder / "whole", child.step)
            )
        except Exception as error:
            lost = f"does not open: {type(error).__name__}: {error}"
        if lost:
            failures.append(f"{here}: {lost}")
    return counts, failures


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        found, lost_runs = play(int(sys.argv[1]), Path(temporary))
    sys.stdout.write(f"{dict(found)}, lost: {len(lost_runs)}\n")
    sys.stdout.write("".join(f"{line}\n" for line in lost_runs))
