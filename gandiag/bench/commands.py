"""``gandiag bench``: one command for each claim. Each imports what it needs, when it runs."""

from __future__ import annotations

from pathlib import Path

import click

from gandiag import help_texts

__all__ = ["bench"]

BENCHES = Path("reports/bench")


@click.group(help=help_texts.BENCH)
def bench() -> None:
    """Re-measure what gandiag claims."""


@bench.command(help=help_texts.BENCH_OVERHEAD)
@click.option(
    "--game",
    "games",
    multiple=True,
    default=("mlp",),
    show_default=True,
    type=click.Choice(["mlp", "dcgan"]),
    help="What is played; repeat it.",
)
@click.option(
    "--rounds",
    type=click.IntRange(min=1),
    default=12,
    show_default=True,
    help="Blocks of each loop; a third of it for all but the first table.",
)
@click.option(
    "--steps", type=click.IntRange(min=1), default=100, show_default=True, help="Of a block."
)
@click.option(
    "--threads", type=click.IntRange(min=1), default=1, show_default=True, help="Of torch."
)
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
    from gandiag.bench.overhead_report import measure_memory, measure_time

    if memory is None:
        measure_time(games, rounds, steps, threads, out or BENCHES / "overhead.csv")
    else:
        measure_memory(games[0], memory, threads, out or BENCHES / "memory.csv")


@bench.command(help=help_texts.BENCH_DETECTION)
@click.option("--case", "names", multiple=True, metavar="NAME", help="A game or family; repeat it.")
@click.option("--part", type=click.Choice(["tuning", "held_out"]), help="[both]")
@click.option(
    "--seeds",
    type=click.IntRange(min=1),
    default=5,
    show_default=True,
    help="How often each game is played.",
)
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Processes, of one thread each.",
)
@click.option("--judge", is_flag=True, help="Play nothing; judge what has been played.")
@click.option("--ablation", is_flag=True, help="Ask again without each signal; takes minutes.")
@click.option(
    "--runs",
    type=click.Path(path_type=Path),
    default=BENCHES / "detection",
    show_default=True,
    help="Folder of the runs.",
)
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
    from gandiag.bench.detection import detection as measure

    text = measure(runs, names, part or "", seeds, jobs, not judge, ablation)
    if out is not None:
        out.write_text(text, encoding="utf-8")
    click.echo(text, nl=False)


@bench.command(help=help_texts.BENCH_COMPARE)
@click.option(
    "--steps", type=click.IntRange(min=1), default=2000, show_default=True, help="Of a game."
)
@click.option(
    "--seeds", type=click.IntRange(min=1), default=5, show_default=True, help="Of each arm."
)
@click.option("--jobs", type=click.IntRange(min=0), default=0, help="At a time. [cores]")
def compare(steps: int, seeds: int, jobs: int) -> None:
    """Measure how well a comparison fills the cores."""
    from gandiag.bench.compare import measure, print_table

    print_table(measure(steps, seeds, jobs))


@bench.command(help=help_texts.BENCH_TREATMENT)
@click.option("--case", "names", multiple=True, metavar="NAME", help="A game; repeat it.")
@click.option(
    "--seeds",
    type=click.IntRange(min=8),
    default=10,
    show_default=True,
    help="How often each game is played, and with each fix.",
)
@click.option(
    "--jobs", type=click.IntRange(min=0), default=0, help="Games at a time, of one thread. [cores]"
)
@click.option(
    "--runs",
    type=click.Path(path_type=Path),
    default=BENCHES / "treatment",
    show_default=True,
    help="Folder of the runs.",
)
def treatment(names: tuple[str, ...], seeds: int, jobs: int, runs: Path) -> None:
    """Count for how many failing games a cure is found."""
    from gandiag.bench.treatment import table, treat_all

    click.echo(table(list(treat_all(runs, names, seeds, jobs))))


@bench.command(help=help_texts.BENCH_REPORT)
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--steps",
    type=click.IntRange(min=1),
    default=10_000,
    show_default=True,
    help="Of the record that each run is stretched to.",
)
@click.option(
    "--rounds", type=click.IntRange(min=1), default=3, show_default=True, help="Pages of each kind."
)
@click.option(
    "--runs",
    type=click.IntRange(min=1),
    default=200,
    show_default=True,
    help="In the list of gandiag serve; each is the first of PATHS.",
)
def report(paths: tuple[Path, ...], steps: int, rounds: int, runs: int) -> None:
    """Measure how long a page takes and how large it is."""
    from gandiag.bench.pages import measure, measure_list, print_list, print_table

    print_table(measure(paths, steps, rounds))
    print_list(runs, measure_list(paths[0], runs, rounds))
