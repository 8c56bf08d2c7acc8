"""Measures what watching costs, and shows it: progress, tables, and every number in a CSV file."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from gandiag.benchmarks.overhead.loops import comparisons
from gandiag.benchmarks.overhead.measure import Block, Cost, blocks, compare
from gandiag.benchmarks.overhead.memory import PARTS, Held, held
from gandiag.benchmarks.overhead.models import GAMES
from gandiag.monitoring.environment import describe_environment
from gandiag.plugins import registry as plugins
from gandiag.plugins.terminal import error_console, output_console

COLUMNS = ("beside", "ratio", "95 %", "CPU", "us a step", "blocks")


def measure_time(
    games: Sequence[str], rounds: int, steps: int, threads: int, file: Path
) -> dict[str, list[Cost]]:
    """Measure, print a table for each comparison, and return what is in them by game and title.

    Args:
        games: names of `GAMES`.
        rounds: blocks of the loop with and without gandiag as it comes; others get a third.
        steps: of a block.
        threads: of torch.
        file: a CSV, to which every block is written once it has been played.
    """
    terminal, found = error_console(), {}
    images = _begin(terminal, threads)
    with ExitStack() as stack, _rows(file, Block._fields) as write:
        for game in games:
            for each in comparisons(game, images, rounds, stack):
                name, played = f"{each.game}, {each.title}", []
                terminal.print(f"{name}: {', '.join(each.loops)}", soft_wrap=True)
                for block in blocks(each, steps):
                    write(block)
                    played.append(block)
                    if len(played) % len(each.loops) == 0:
                        terminal.print(f"{name}: block {block.round + 1} of {each.rounds}")
                found[name] = compare(played, each.base)
                _show(f"{name}, {steps} steps a block", found[name])
    terminal.print(str(file), soft_wrap=True)
    return found


def measure_memory(game: str, steps: int, threads: int, file: Path) -> list[Held]:
    """Watch a game for so many steps, and print how much memory that took.

    Args:
        game: a name of `GAMES`.
        steps: of each player.
        threads: of torch.
        file: a CSV, to which every look is written.

    Raises:
        BadInput: the memory of a process cannot be read here.
    """
    terminal, found = error_console(), []
    images = _begin(terminal, threads)
    with _rows(file, Held._fields) as write:
        for look in held(GAMES[game](images), steps):
            write(look)
            found.append(look)
            terminal.print(f"{game}: step {look.step} of {steps}, {look.megabytes:.1f} MB")
    half = found[PARTS // 2 - 1]
    grown = found[-1].megabytes - half.megabytes
    most = max(look.megabytes for look in found)
    output_console().print(
        f"{game}: watching took {most:.1f} MB at most; {grown:+.1f} MB of them came after step "
        f"{half.step}.",
        soft_wrap=True,
    )
    terminal.print(str(file), soft_wrap=True)
    return found


def _begin(terminal: Console, threads: int) -> Tensor:
    torch.set_num_threads(threads)
    about = describe_environment(torch.device("cpu"))
    versions = about["versions"]
    terminal.print(
        f"Python {about['python']}, torch {versions['torch']}, {about['device_name']}, "
        f"{threads} thread{'s' * (threads > 1)}"
    )
    images: Tensor = plugins.build("datasets", "mnist").load().train
    return images


@contextmanager
def _rows(file: Path, names: Sequence[str]) -> Iterator[Any]:
    """A CSV file that grows row by row, so that an interrupted measurement leaves what it has."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", newline="", encoding="utf-8") as text:
        writer = csv.writer(text)
        writer.writerow(names)

        def write(row: Iterable[Any]) -> None:
            writer.writerow(row)
            text.flush()

        yield write


def _show(title: str, costs: Sequence[Cost]) -> None:
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
