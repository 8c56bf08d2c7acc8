"""``gandiag bench report``: how long pages take to make, and how large they are."""

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
from gandiag.plugins.terminal import output_console
from gandiag.records.record import SAMPLES_FOLDER, Record, Signal
from gandiag.reports.report import Report
from gandiag.reports.reporters.html import Audience, render_page
from gandiag.reports.saved_runs import reopen_report
from gandiag.reports.server.handlers import render_run_list

AUDIENCES: tuple[Audience, ...] = ("engineer", "student")


class PageCost(NamedTuple):
    """Time and size of one page.

    Attributes:
        title: title of the run.
        steps: last generator step of the record.
        audience: reader for whom the page is made.
        seconds: seconds of the clock, median of the rounds; they include the diagnoses along the
            run.
        cpu_seconds: seconds of the processor, median of the rounds.
        size: size of the file in bytes.
    """

    title: str
    steps: int
    audience: Audience
    seconds: float
    cpu_seconds: float
    size: int


def measure_pages(paths: Sequence[Path], steps: int, rounds: int) -> Iterator[PageCost]:
    """Measure the pages of each run, from its record and from the record extended to `steps`.

    Args:
        paths: folders of runs.
        steps: last generator step of the extended records.
        rounds: number of times that each page is made.
    """
    render_page(reopen_report(paths[0]))  # Loads the plotting libraries before the clock starts.
    for path in paths:
        report = reopen_report(path)
        with tempfile.TemporaryDirectory() as folder:
            extended = replace(report, record=extend_record(report.record, steps, Path(folder)))
            for each in (report, extended):
                for audience in AUDIENCES:
                    yield _measure_page(each, audience, rounds)


def extend_record(record: Record, steps: int, folder: Path) -> Record:
    """Extend a record to `steps` by repeating its signals and sample grids.

    Args:
        record: a record in a folder.
        steps: last generator step of the new record; the signals of a longer record are cut.
        folder: folder for the repeated sample grids.

    Raises:
        BadInput: the record has no measurements.
    """
    length = record.last_step + 1
    if length < 2:
        raise BadInput(str(record.folder), "has no measurements to repeat")
    times = -(-(steps + 1) // length)  # Rounded up.
    # Repeated signals make a long record with realistic curves in seconds, without training.
    signals = {
        name: _repeat_signal(signal, length, times).until(steps)
        for name, signal in record.signals.items()
    }
    (folder / SAMPLES_FOLDER).mkdir(parents=True)
    real = sorted((record.folder / SAMPLES_FOLDER).glob("real.*")) if record.folder else []
    for path in real:
        shutil.copy(path, folder / SAMPLES_FOLDER)
    for repetition in range(times):
        for step, path in record.sample_grids():
            new_step = repetition * length + step
            if new_step <= steps:
                name = f"step-{new_step:08d}{path.suffix}"
                shutil.copy(path, folder / SAMPLES_FOLDER / name)
    return replace(record, signals=signals, folder=folder, facts={**record.facts, "steps": steps})


def print_page_costs(costs: Iterator[PageCost]) -> None:
    """Print a row for each page as soon as the page is measured."""
    console = output_console()
    heads = f"{'run':32} {'steps':>7} {'page':9} {'seconds':>8} {'CPU':>6} {'MB':>6}"
    console.print(heads, soft_wrap=True)
    for cost in costs:
        console.print(
            f"{cost.title[:32]:32} {cost.steps:>7} {cost.audience:9} {cost.seconds:>8.2f} "
            f"{cost.cpu_seconds:>6.2f} {cost.size / 1e6:>6.2f}",
            soft_wrap=True,
        )


def measure_run_list(path: Path, runs: int, rounds: int) -> tuple[float, float]:
    """Measure the list of many runs that `gandiag serve` shows.

    Args:
        path: folder of a run; each run of the list has links to its files.
        runs: number of runs in the list.
        rounds: number of times that the list is made.

    Returns:
        Median seconds of the clock, and of the processor.
    """
    with tempfile.TemporaryDirectory() as folder:
        for index in range(runs):
            run = Path(folder) / f"{index:04d}"
            run.mkdir()
            # Links, because many copies of a large record would measure the disk.
            for file in path.resolve().iterdir():
                if file.is_file():
                    (run / file.name).symlink_to(file)
        times = [_time_call(lambda: render_run_list(Path(folder))) for _ in range(rounds)]
    seconds, cpu_seconds = zip(*times, strict=True)
    return statistics.median(seconds), statistics.median(cpu_seconds)


def print_run_list(runs: int, times: tuple[float, float]) -> None:
    """Print the time of the list of runs."""
    seconds, cpu_seconds = times
    text = f"list of {runs} runs: {seconds:.2f} seconds, {cpu_seconds:.2f} CPU seconds"
    output_console().print(text, soft_wrap=True)


def _time_call(action: Callable[[], object]) -> tuple[float, float]:
    """Seconds of the clock and of the processor."""
    clock, processor = time.perf_counter(), time.process_time()
    action()
    return time.perf_counter() - clock, time.process_time() - processor


def _measure_page(report: Report, audience: Audience, rounds: int) -> PageCost:
    times, page = [], ""
    for _ in range(rounds):
        # A report keeps its diagnoses along the run. A copy has none yet, so each round computes
        # them.
        fresh = replace(report)
        clock, processor = time.perf_counter(), time.process_time()
        page = render_page(fresh, audience)
        times.append((time.perf_counter() - clock, time.process_time() - processor))
    seconds, cpu_seconds = (statistics.median(each) for each in zip(*times, strict=True))
    size = len(page.encode())
    return PageCost(report.title, report.record.last_step, audience, seconds, cpu_seconds, size)


def _repeat_signal(signal: Signal, length: int, times: int) -> Signal:
    shifts = np.repeat(np.arange(times) * length, len(signal.steps))
    values = np.concatenate([signal.values] * times)
    return Signal(np.tile(signal.steps, times) + shifts, values)
