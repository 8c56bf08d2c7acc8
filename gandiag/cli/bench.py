"""``gandiag bench``: one command for each claim. Each imports what it needs, when it runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from gandiag.cli import bench_help as help_texts
from gandiag.cli import options

F = TypeVar("F", bound=Callable[..., Any])
BENCHES = Path("reports/bench")


def _runs_in(name: str) -> Callable[[F], F]:
    """``--runs``: where the games that a bench plays are kept."""
    return click.option(
        "--runs",
        type=click.Path(path_type=Path),
        default=BENCHES / name,
        show_default=True,
        help="Folder of the runs.",
    )


@click.group(help=help_texts.BENCH)
def bench() -> None:
    """Re-measure what gandiag claims."""


@bench.command(help=help_texts.OVERHEAD)
@click.option(
    "--game",
    "games",
    multiple=True,
    default=("mlp",),
    show_default=True,
    type=click.Choice(["mlp", "dcgan"]),
    help="What is played; repeat it.",
)
@options.whole_number(
    "--rounds", 12, "Blocks of each loop; a third of it for all but the first table."
)
@options.whole_number("--steps", 200, "Of a block; the rarest look comes every 200.")
@options.whole_number("--threads", 1, "Of torch.")
@click.option(
    "--memory",
    type=click.IntRange(min=20),
    metavar="STEPS",
    help="Measure memory over so many steps, and no times.",
)
@click.option(
    "--out", type=click.Path(path_type=Path), help="CSV file. [reports/bench/overhead.csv]"
)
def overhead(
    games: tuple[str, ...],
    rounds: int,
    steps: int,
    threads: int,
    memory: int | None,
    out: Path | None,
) -> None:
    """Measure what watching costs."""
    from gandiag.benchmarks.overhead.report import measure_memory, measure_time

    if memory is None:
        measure_time(games, rounds, steps, threads, out or BENCHES / "overhead.csv")
    else:
        measure_memory(games[0], memory, threads, out or BENCHES / "memory.csv")


@bench.command(help=help_texts.DETECTION)
@click.option("--case", "names", multiple=True, metavar="NAME", help="A game or family; repeat it.")
@click.option("--part", type=click.Choice(["tuning", "held_out", "slow"]), help="[all]")
@options.whole_number("--seeds", 5, "How often each game is played.")
@options.whole_number("--jobs", 1, "Processes, of one thread each.")
@click.option("--judge", is_flag=True, help="Play nothing; judge what has been played.")
@click.option("--ablation", is_flag=True, help="Ask again without each signal; takes minutes.")
@_runs_in("detection")
@click.option("--out", type=click.Path(path_type=Path), help="Write the tables there, too.")
def detection(
    names: tuple[str, ...],
    part: str | None,
    seeds: int,
    jobs: int,
    judge: bool,
    ablation: bool,
    runs: Path,
    out: Path | None,
) -> None:
    """Count how often the detectors are right."""
    from gandiag.benchmarks.detection.run import detection as measure

    text = measure(runs, names, part or "", seeds, jobs, not judge, ablation)
    if out is not None:
        out.write_text(text, encoding="utf-8")
    click.echo(text, nl=False)


@bench.command(help=help_texts.COMPARE)
@options.whole_number("--steps", 2000, "Of a game.")
@options.whole_number("--seeds", 5, "Of each arm.")
@options.jobs()
def compare(steps: int, seeds: int, jobs: int) -> None:
    """Measure how well a comparison fills the cores."""
    from gandiag.benchmarks.comparison import measure, print_table

    print_table(measure(steps, seeds, jobs))


@bench.command(help=help_texts.TREATMENT)
@click.option("--case", "names", multiple=True, metavar="NAME", help="A game; repeat it.")
@options.whole_number("--seeds", 10, "How often each game is played, and with each fix.", least=8)
@options.jobs("Games at a time, of one thread. [cores]")
@_runs_in("treatment")
def treatment(names: tuple[str, ...], seeds: int, jobs: int, runs: Path) -> None:
    """Count for how many failing games a cure is found."""
    from gandiag.benchmarks.treatment import table, treat_all

    click.echo(table(list(treat_all(runs, names, seeds, jobs))))


@bench.command(help=help_texts.FIXES)
@click.option("--case", "names", multiple=True, metavar="NAME", help="A scenario; repeat it.")
@options.whole_number("--seeds", 10, "Of each arm.", least=6)
@options.jobs("Games at a time, of one thread. [cores]")
@_runs_in("fixes")
@click.option(
    "--pictures",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for a sheet of samples of each scenario, fixes_NAME.png.",
)
def fixes(names: tuple[str, ...], seeds: int, jobs: int, runs: Path, pictures: Path | None) -> None:
    """Play which fixes cure which failures."""
    from gandiag.benchmarks.fixes import study, tables
    from gandiag.comparison.sample_grids import picture

    for found, folder in study(runs, names, seeds, jobs):
        click.echo(f"{tables(found)}\n")
        if pictures is not None:
            pictures.mkdir(parents=True, exist_ok=True)
            (pictures / f"fixes_{found.name}.png").write_bytes(picture(found, folder))


@bench.command(help=help_texts.REPORT)
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@options.whole_number("--steps", 10_000, "Of the record that each run is stretched to.")
@options.whole_number("--rounds", 3, "Pages of each kind.")
@options.whole_number("--runs", 200, "In the list of gandiag serve; each is the first of PATHS.")
def report(paths: tuple[Path, ...], steps: int, rounds: int, runs: int) -> None:
    """Measure how long a page takes and how large it is."""
    from gandiag.benchmarks.pages import measure, measure_list, print_list, print_table

    print_table(measure(paths, steps, rounds))
    print_list(runs, measure_list(paths[0], runs, rounds))
