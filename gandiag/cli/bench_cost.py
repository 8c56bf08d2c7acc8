"""``gandiag bench overhead``, ``layers``, ``compare``, ``report``: time and memory of gandiag."""

from __future__ import annotations

from pathlib import Path

import click

from gandiag.cli import options


@click.command()
@click.option(
    # The option has its former name, as options of commands do not change.
    "--game",
    "names",
    multiple=True,
    default=("mlp",),
    show_default=True,
    type=click.Choice(["mlp", "dcgan"]),
    help="Networks to train. Can be repeated.",
)
@options.whole_number(
    "--rounds", 12, "Blocks of each loop in the first table; the other tables take a third of it."
)
@options.whole_number(
    "--steps", 200, "Steps of a block; the least frequent measurement is every 200 steps."
)
@options.whole_number("--threads", 1, "Threads of torch.")
@click.option(
    "--memory",
    # The memory is measured 20 times, and each of the parts in between needs a step.
    type=click.IntRange(min=20),
    metavar="STEPS",
    help="Measure memory over this number of steps, instead of time.",
)
@click.option(
    "--out", type=click.Path(path_type=Path), help="CSV file. [reports/bench/overhead.csv]"
)
def overhead(
    names: tuple[str, ...],
    rounds: int,
    steps: int,
    threads: int,
    memory: int | None,
    out: Path | None,
) -> None:
    """Measure what it costs to watch a training loop.

    A watched loop is compared with the same loop unwatched, in plain torch on MNIST. The loops
    train alternately, ten steps each, in a random order; wandb.watch, offline, is measured as well.
    There are three tables: gandiag with its defaults; every probe at every step; and each probe
    alone, compared with the hooks without probes.

    \b
    ratio      seconds of a block of steps over those of the other loop, median over blocks
    95 %       confidence interval of the median; the whole range if there are fewer than six blocks
    CPU        the same for the seconds of the processor, over all threads of this process
    us a step  additional microseconds for each step

    Each round builds new networks, and each loop of the first table trains the networks of both
    loops. The clock starts after the reference statistics are built and, in the first table, when
    the detectors begin to evaluate. The first two tables take eleven minutes on one core. Each
    block is written to the CSV file.

    \b
    gandiag bench overhead
    gandiag bench overhead --game dcgan --rounds 6
    gandiag bench overhead --memory 20000

    Exit status: 0 done, 2 bad input, 130 interrupted; the CSV file keeps the finished blocks.
    """
    from gandiag.benchmarks.overhead.report import measure_memory, measure_watching

    if memory is None:
        measure_watching(names, rounds, steps, threads, out or options.BENCHES / "overhead.csv")
    else:
        measure_memory(names[0], memory, threads, out or options.BENCHES / "memory.csv")


@click.command()
@options.whole_number("--rounds", 12, "Blocks of each form of the layer.")
@options.whole_number("--threads", 1, "Threads of torch.")
@click.option("--out", type=click.Path(path_type=Path), help="CSV file. [reports/bench/layers.csv]")
def layers(rounds: int, threads: int, out: Path | None) -> None:
    """Measure forward and backward pass of minibatch discrimination.

    gandiag's form of the layer is compared with two others that people write: one broadcast over
    all pairs, kernels and dimensions, as in torchgan, and one line with torch.cdist. Three sizes
    are measured: batch 64 with 32 kernels of 16 dimensions, batch 128 and 256 with 100 of 5. The
    columns are those of gandiag bench overhead. The benchmark takes two minutes on one core.

    \b
    gandiag bench layers
    gandiag bench layers --rounds 30 --threads 2

    Exit status: 0 done, 2 bad input, 130 interrupted; the CSV file keeps the finished blocks.
    """
    from gandiag.benchmarks.overhead.layers import STEPS, build_layer_comparisons
    from gandiag.benchmarks.overhead.report import measure_time, prepare

    prepare(threads)
    measure_time(build_layer_comparisons(rounds), STEPS, out or options.BENCHES / "layers.csv")


@click.command()
@options.whole_number("--steps", 2000, "Generator steps of a run.")
@options.whole_number("--seeds", 5, "Runs of the baseline, and of each fix.")
@options.jobs()
def compare(steps: int, seeds: int, jobs: int) -> None:
    """Measure how well a comparison uses the cores of this machine.

    A ring of eight modes is trained as baseline and with three fixes, five seeds each: first one
    run after another in a process that has loaded everything, then all runs as gandiag compare
    trains them.

    \b
    alone      seconds of the runs one after another, summed
    share      alone divided by the number of runs at the same time: the least possible time
    whole      seconds of the comparison, including the start of its processes and its page
    ratio      whole over share
    CPU ratio  seconds of the processor for the comparison over those of the runs one by one

    No other program should use the machine meanwhile; if one does, trust the CPU ratio rather than
    the ratio. The benchmark takes some minutes.

    \b
    gandiag bench compare
    gandiag bench compare --jobs 2 --steps 4000

    Exit status: 0 done, 2 bad input, 130 interrupted.
    """
    from gandiag.benchmarks.comparison import measure_utilization, print_utilization

    print_utilization(measure_utilization(steps, seeds, jobs))


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@options.whole_number("--steps", 10_000, "Steps to which the record of each run is extended.")
@options.whole_number("--rounds", 3, "Repetitions for each page.")
@options.whole_number("--runs", 200, "Runs in the list; all are copies of the first of PATHS.")
def report(paths: tuple[Path, ...], steps: int, rounds: int, runs: int) -> None:
    """Measure the time and the size of pages of the runs in PATHS.

    The page of each run is made twice: from its record as it is, and from a record of many steps
    that repeats its measurements and sample grids; both for engineers and for students. Seconds are
    medians, of the clock and of the processor. They do not include loading the plotting libraries,
    which happens once in a process. The last line measures the list of many runs that gandiag serve
    shows.

    \b
    gandiag bench report reports/mode_collapse/0
    gandiag bench report reports/mode_collapse/0 --steps 50000 --rounds 1

    Exit status: 0 done, 2 bad input, 130 interrupted.
    """
    from gandiag.benchmarks.pages import (
        measure_pages,
        measure_run_list,
        print_page_costs,
        print_run_list,
    )

    print_page_costs(measure_pages(paths, steps, rounds))
    print_run_list(runs, measure_run_list(paths[0], runs, rounds))
