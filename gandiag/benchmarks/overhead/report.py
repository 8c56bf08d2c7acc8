"""``gandiag bench overhead``: measures the cost of watching, prints tables, writes a CSV file."""

from __future__ import annotations

import csv
import statistics
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch
from rich.table import Table
from torch import Tensor

from gandiag.benchmarks.overhead.loops import build_comparisons
from gandiag.benchmarks.overhead.measure import (
    Block,
    Comparison,
    Cost,
    compute_costs,
    measure_blocks,
)
from gandiag.benchmarks.overhead.memory import MEASUREMENTS, MemoryUse, track_memory
from gandiag.benchmarks.overhead.models import MODELS
from gandiag.monitoring.environment import describe_environment
from gandiag.plugins import registry as plugins
from gandiag.plugins.terminal import error_console, output_console

# Columns after the name of the loop; `gandiag bench overhead --help` explains them.
COLUMNS = ("base", "ratio", "95 %", "CPU", "us a step", "blocks")


def measure_watching(
    models: Sequence[str], rounds: int, steps: int, threads: int, file: Path
) -> dict[str, list[Cost]]:
    """Measure the time of watching the loops of some models, see `measure_time`.

    Args:
        models: names of `MODELS`.
        rounds: number of blocks of each loop in the first comparison, see `build_comparisons`.
        steps: number of steps of a block.
        threads: number of torch threads.
        file: CSV file of the blocks.
    """
    images = prepare(threads)
    with ExitStack() as stack:
        comparisons = (
            comparison
            for model in models
            for comparison in build_comparisons(model, images, rounds, stack)
        )
        return measure_time(comparisons, steps, file)


def measure_time(
    comparisons: Iterable[Comparison], steps: int, file: Path
) -> dict[str, list[Cost]]:
    """Measure the time of loops, and print a table for each comparison.

    Args:
        comparisons: the loops that are compared.
        steps: number of steps of a block.
        file: CSV file; each block is written as soon as it is measured.

    Returns:
        The costs of each comparison, by model and title.
    """
    console, found = error_console(), {}
    with _open_csv(file, Block._fields) as write:
        for comparison in comparisons:
            name, blocks = f"{comparison.model}, {comparison.title}", []
            console.print(f"{name}: {', '.join(comparison.loops)}", soft_wrap=True)
            for block in measure_blocks(comparison, steps):
                write(block)
                blocks.append(block)
                if len(blocks) % len(comparison.loops) == 0:
                    console.print(f"{name}: block {block.round + 1} of {comparison.rounds}")
            found[name] = compute_costs(blocks, comparison.base)
            base = [block for block in blocks if block.loop == comparison.base]
            _print_costs(f"{name}, {steps} steps a block; {_format_base(base)}", found[name])
    console.print(str(file), soft_wrap=True)
    return found


def measure_memory(model: str, steps: int, threads: int, file: Path) -> list[MemoryUse]:
    """Measure the memory of watching, and print its maximum and its growth.

    Args:
        model: name of one of `MODELS`.
        steps: number of steps of each network.
        threads: number of torch threads.
        file: CSV file; each measurement is written as soon as it is made.

    Raises:
        BadInput: the memory of a process cannot be read on this system.
    """
    console, found = error_console(), []
    images = prepare(threads)
    with _open_csv(file, MemoryUse._fields) as write:
        for use in track_memory(MODELS[model](images), steps):
            write(use)
            found.append(use)
            console.print(f"{model}: step {use.step} of {steps}, {use.megabytes:.1f} MB")
    # Buffers fill early. Memory that still grows in the second half would hint at a leak.
    half = found[MEASUREMENTS // 2 - 1]
    growth = found[-1].megabytes - half.megabytes
    most = max(use.megabytes for use in found)
    output_console().print(
        f"{model}: watching took {most:.1f} MB at most; the memory changed by {growth:+.1f} MB "
        f"after step {half.step}.",
        soft_wrap=True,
    )
    console.print(str(file), soft_wrap=True)
    return found


def prepare(threads: int) -> Tensor:
    """Set the number of threads, print the environment, and load the training images."""
    torch.set_num_threads(threads)
    environment = describe_environment(torch.device("cpu"))
    versions = environment["versions"]
    error_console().print(
        f"Python {environment['python']}, torch {versions['torch']}, "
        f"{environment['device_name']}, {threads} thread{'s' * (threads > 1)}"
    )
    images: Tensor = plugins.build("datasets", "mnist").load().train
    return images


def _format_base(blocks: Sequence[Block]) -> str:
    """Return the base's milliseconds a step, so that ratios can be read as times."""
    seconds = statistics.median(block.cpu_seconds / block.steps for block in blocks)
    return f"{blocks[0].loop} takes {seconds * 1e3:.2f} ms of CPU a step"


@contextmanager
def _open_csv(file: Path, names: Sequence[str]) -> Iterator[Any]:
    """Open a CSV file that grows row by row, so an interrupted measurement keeps its rows."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", newline="", encoding="utf-8") as text:
        writer = csv.writer(text)
        writer.writerow(names)

        def write(row: Iterable[Any]) -> None:
            writer.writerow(row)
            text.flush()  # Otherwise an interruption would lose the rows in the buffer.

        yield write


def _print_costs(title: str, costs: Sequence[Cost]) -> None:
    table = Table(title=title, title_justify="left", box=None, header_style="bold")
    table.add_column("")
    for head in COLUMNS:
        table.add_column(head, justify="left" if head == COLUMNS[0] else "right", no_wrap=True)
    for cost in costs:
        table.add_row(
            cost.loop,
            cost.base,
            f"{cost.ratio:.3f}",
            f"{cost.low:.3f}-{cost.high:.3f}",
            f"{cost.cpu_ratio:.3f}",
            f"{cost.extra:+.0f}",
            str(cost.blocks),
        )
    output_console().print(table)
