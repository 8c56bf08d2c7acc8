"""``gandiag bench detection``, ``logs``, ``static``, ``treatment``, ``fixes``: right answers."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import click

from gandiag.cli import options


@click.command()
@click.option(
    "--case",
    "names",
    multiple=True,
    metavar="NAME",
    help="Only this case or family of cases. Can be repeated.",
)
@click.option("--part", type=click.Choice(["tuning", "held_out", "slow"]), help="[all]")
@options.whole_number("--seeds", 5, "Runs of each case.")
@options.whole_number("--jobs", 1, "Processes, with one thread each.")
@click.option("--judge", is_flag=True, help="Train nothing; evaluate the runs that exist.")
@click.option("--ablation", is_flag=True, help="Evaluate again without each signal; takes minutes.")
@options.runs_folder("detection")
@click.option(
    "--out", type=click.Path(path_type=Path), help="File to which the tables are written, too."
)
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
    """Count how often the detectors are right on labelled runs.

    74 cases are trained five times each. An oracle that knows the true modes of the data labels
    every run. The detectors, and the rules of other tools, are then evaluated on the records every
    100 steps. The protocol is in reports/detection.md of the repository. All runs take hours on two
    cores; they are kept, and the same command continues an interrupted benchmark. --judge evaluates
    the existing runs without training.

    \b
    gandiag bench detection --jobs 2
    gandiag bench detection --case ring_r1 --case dirac --seeds 1
    gandiag bench detection --judge --part held_out
    gandiag bench detection --judge --ablation

    Exit status: 0 done, 2 bad input, 130 interrupted; finished runs are kept.
    """
    from gandiag.benchmarks.detection.benchmark import run_benchmark
    from gandiag.records.claim import Claim

    # Two benchmarks in one folder would train the same runs. To evaluate writes no run.
    with nullcontext() if judge else Claim(runs, f"--runs {runs}"):
        text = run_benchmark(runs, names, part or "", seeds, jobs, not judge, ablation)
    if out is not None:
        out.write_text(text, encoding="utf-8")
    click.echo(text, nl=False)


@click.command()
@click.option("--data", "names", multiple=True, metavar="NAME", help="Only this data set. [all]")
@click.option("--part", type=click.Choice(["development", "held_out"]), help="[both]")
@options.whole_number("--seeds", 10, "Real samples, lost kinds and generated samples.")
@click.option("--out", type=click.Path(path_type=Path), help="File for the numbers, as CSV.")
def static(names: tuple[str, ...], part: str | None, seeds: int, out: Path | None) -> None:
    """Count how often lost kinds are seen in samples of known generators.

    Nothing is trained. On sixteen data sets, from points to sentences, generators make all kinds of
    samples, half, a quarter or one of them, blurred ones, or all but the rarest. The protocol is in
    reports/static.md of the repository. It takes about ten minutes on one core.

    \b
    gandiag bench static --part development
    gandiag bench static --data shapes --seeds 2

    Exit status: 0 done, 2 bad input.
    """
    from gandiag.benchmarks.static.benchmark import run_benchmark

    click.echo(run_benchmark(names, part or "", seeds, out))


@click.command()
@click.option(
    "--case", "names", multiple=True, metavar="NAME", help="Only this case. Can be repeated."
)
# With fewer seeds none of 4 fixes could be confirmed: 4 * 2 / 2^7 = 0.06 is above 0.05.
@options.whole_number("--seeds", 10, "Runs of each baseline, and of each fix.", least=8)
@options.jobs("Runs at the same time, with one thread each. [one per core]")
@options.runs_folder("treatment")
def treatment(names: tuple[str, ...], seeds: int, jobs: int, runs: Path) -> None:
    """Count how many of ten failing runs gandiag treat can fix.

    reports/treatment.md of the repository describes the cases and how they are counted. The
    benchmark takes hours on two cores. Runs are kept, and the same command continues an interrupted
    benchmark.

    \b
    gandiag bench treatment --jobs 2
    gandiag bench treatment --case ring_five_to_one

    Exit status: 0 done, 2 bad input, 130 interrupted; finished runs are kept.
    """
    from gandiag.benchmarks.treatment import format_table, treat_cases

    click.echo(format_table(list(treat_cases(runs, names, seeds, jobs))))


@click.command()
@click.option(
    "--case", "names", multiple=True, metavar="NAME", help="Only this scenario. Can be repeated."
)
# Fewer pairs cannot be significant: the least p-value of the sign test is then 2 / 2^5 = 0.06.
@options.whole_number("--seeds", 10, "Runs of each baseline, and of each fix.", least=6)
@options.jobs("Runs at the same time, with one thread each. [one per core]")
@options.runs_folder("fixes")
@click.option(
    "--pictures",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for a picture of sample grids of each scenario, fixes_NAME.png.",
)
@click.option(
    "--evidence",
    type=click.Path(path_type=Path, dir_okay=False),
    help="CSV file to which the counts are added, as gandiag/reports/fix_evidence.csv has them.",
)
def fixes(
    names: tuple[str, ...],
    seeds: int,
    jobs: int,
    runs: Path,
    pictures: Path | None,
    evidence: Path | None,
) -> None:
    """Compare six fixes for each of the three shipped failures.

    The benchmark consists of three comparisons, as gandiag compare makes them, with ten seeds each.
    Their pages are in the folders of the runs; the tables are printed as Markdown. The results are
    in reports/fixes.md of the repository. The benchmark takes one to two hours on two cores. Runs
    are kept, and the same command continues an interrupted benchmark.

    \b
    gandiag bench fixes --jobs 2
    gandiag bench fixes --case mode_collapse --pictures pictures

    Exit status: 0 done, 2 bad input, 130 interrupted; finished runs are kept.
    """
    import csv

    from gandiag.benchmarks.fixes import compare_fixes, format_comparison, list_evidence
    from gandiag.comparison.sample_grids import draw_final_grids

    for found, folder in compare_fixes(runs, names, seeds, jobs):
        click.echo(f"{format_comparison(found)}\n")
        if pictures is not None:
            pictures.mkdir(parents=True, exist_ok=True)
            (pictures / f"fixes_{found.name}.png").write_bytes(draw_final_grids(found, folder))
        if evidence is not None:
            with evidence.open("a", newline="", encoding="utf-8") as text:
                csv.writer(text, lineterminator="\n").writerows(list_evidence(found, folder))


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--part", type=click.Choice(["development", "held_out"]), help="[both]")
def logs(folder: Path, part: str | None) -> None:
    """Count how often gandiag is right on public log files.

    gandiag/benchmarks/public_logs.yaml lists the files by repository, commit and path, what is
    known of each outcome, and from where. They are not part of gandiag: FOLDER has those that you
    fetched, each as owner+name/path. Files that are missing there are left out.

    \b
    gandiag bench logs ~/public_logs
    gandiag bench logs ~/public_logs --part held_out

    Exit status: 0 done, 2 bad input.
    """
    from gandiag.benchmarks.public_logs import diagnose_logs, format_answers

    click.echo(format_answers(diagnose_logs(folder, part)))
