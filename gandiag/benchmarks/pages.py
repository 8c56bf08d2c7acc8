"""How long pages take and how large they are, of runs as they are and of one of many steps."""

from __future__ import annotations

import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gandiag.plugins.errors import BadInput
from gandiag.records.record import SAMPLES, Record, Signal
from gandiag.reports.report import Report
from gandiag.reports.reporters.html import Audience, render
from gandiag.reports.saved_runs import reopen_report
from gandiag.reports.server.handlers import list_of

AUDIENCES: tuple[Audience, ...] = ("engineer", "student")


class Rendering(NamedTuple):
    """One page as it was made.

    Attributes:
        title: of the run.
        steps: of the record.
        audience: whom the page is for.
        seconds: on the clock, median of the rounds; diagnosing along the run included.
        cpu: of the processor, likewise.
        size: bytes of the file.
    """

    title: str
    steps: int
    audience: Audience
    seconds: float
    cpu: float
    size: int


def measure(paths: Sequence[Path], steps: int, rounds: int) -> Iterator[Rendering]:
    """Render each run as it is, and stretched to `steps`; what is drawn with is loaded before."""
    render(reopen_report(paths[0]))
    for path in paths:
        report = reopen_report(path)
        with tempfile.TemporaryDirectory() as folder:
            longer = replace(report, record=stretched(report.record, steps, Path(folder)))
            for each in (report, longer):
                for audience in AUDIENCES:
                    yield _timed(each, audience, rounds)


def stretched(record: Record, steps: int, folder: Path) -> Record:
    """A record of `steps` that repeats the looks of another, sheets and all, one after another.

    Args:
        record: a record in a folder.
        steps: its new last step; a longer record is left as it is.
        folder: where the repeated sheets go.

    Raises:
        BadInput: the record is empty.
    """
    length = record.last_step + 1
    if length < 2:
        raise BadInput(str(record.folder), "has no looks to repeat")
    times = -(-(steps + 1) // length)
    signals = {name: _repeated(s, length, times).until(steps) for name, s in record.signals.items()}
    (folder / SAMPLES).mkdir(parents=True)
    real = sorted((record.folder / SAMPLES).glob("real.*")) if record.folder else []
    for path in real:
        shutil.copy(path, folder / SAMPLES)
    for turn in range(times):
        for step, path in record.sample_grids():
            if turn * length + step <= steps:
                name = f"step-{turn * length + step:08d}{path.suffix}"
                shutil.copy(path, folder / SAMPLES / name)
    return replace(record, signals=signals, folder=folder, facts={**record.facts, "steps": steps})


def print_table(renderings: Iterator[Rendering]) -> None:
    """Print a row for each page as soon as it is made."""
    from rich.console import Console

    terminal = Console(highlight=False, soft_wrap=True)
    terminal.print(f"{'run':32} {'steps':>7} {'page':9} {'seconds':>8} {'CPU':>6} {'MB':>6}")
    for made in renderings:
        terminal.print(
            f"{made.title[:32]:32} {made.steps:>7} {made.audience:9} {made.seconds:>8.2f} "
            f"{made.cpu:>6.2f} {made.size / 1e6:>6.2f}",
            markup=False,
        )


def measure_list(path: Path, runs: int, rounds: int) -> tuple[float, float]:
    """Seconds that the list of so many runs takes, on the clock and of the processor; medians.

    Args:
        path: a run, to which each run of the list has links.
        runs: how many.
        rounds: how often the list is made.
    """
    with tempfile.TemporaryDirectory() as folder:
        for index in range(runs):
            place = Path(folder) / f"{index:04d}"
            place.mkdir()
            for file in path.resolve().iterdir():
                if file.is_file():
                    (place / file.name).symlink_to(file)
        taken = [_seconds(lambda: list_of(Path(folder))) for _ in range(rounds)]
    clocks, processors = zip(*taken, strict=True)
    return statistics.median(clocks), statistics.median(processors)


def print_list(runs: int, seconds: tuple[float, float]) -> None:
    """Print what the list took."""
    from rich.console import Console

    told = f"{seconds[0]:.2f} seconds, {seconds[1]:.2f} of the processor"
    Console(highlight=False, soft_wrap=True).print(f"the list of {runs} runs: {told}")


def _seconds(action: Callable[[], object]) -> tuple[float, float]:
    clock, processor = time.perf_counter(), time.process_time()
    action()
    return time.perf_counter() - clock, time.process_time() - processor


def _timed(report: Report, audience: Audience, rounds: int) -> Rendering:
    clocks, processors, page = [], [], ""
    for _ in range(rounds):
        fresh = replace(report)  # else the answers along the run would be those of the last round
        clock, processor = time.perf_counter(), time.process_time()
        page = render(fresh, audience)
        clocks.append(time.perf_counter() - clock)
        processors.append(time.process_time() - processor)
    seconds, cpu = statistics.median(clocks), statistics.median(processors)
    size = len(page.encode())
    return Rendering(report.title, report.record.last_step, audience, seconds, cpu, size)


def _repeated(signal: Signal, length: int, times: int) -> Signal:
    shifts = np.repeat(np.arange(times) * length, len(signal.steps))
    values = np.concatenate([signal.values] * times)
    return Signal(np.tile(signal.steps, times) + shifts, values)
