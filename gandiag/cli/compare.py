"""``gandiag compare``: measures over many seeds what fixes change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from gandiag.cli import options
from gandiag.cli.exit_codes import report_unfinished_comparison


@click.command()
@options.comparison
@click.option(
    "--fix",
    "fixes",
    multiple=True,
    required=True,
    metavar="A[,B]",
    help="A fix, or several to apply together. Can be repeated.",
)
@options.reporters("Use this reporter for each run. Can be repeated.")
@options.as_json()
def compare(
    scenario: str,
    sets: tuple[str, ...],
    fixes: tuple[str, ...],
    seeds: int,
    out: Path | None,
    resume: bool,
    threads: int,
    reporters: tuple[str, ...],
    as_json: bool,
    **workers: Any,
) -> int:
    """Measure over several seeds what fixes change in SCENARIO.

    SCENARIO is as in gandiag run. It is trained without fixes, as the baseline, and with each --fix
    over the same seeds; fixes joined by commas are applied together (gandiag list fixes). Runs of
    the same seed form pairs. The verdict on each fix is one of

    \b
    cures        fix confirmed: more runs are free of failures than chance explains, no other
                 failure appears, and the samples are not worse
    helps        something improves beyond chance, but the fix is not confirmed
    harms        something gets worse beyond chance
    no evidence  no difference, or too few seeds; a note gives the number of seeds needed

    The tests are exact, two-sided, and corrected for the number of fixes: one fix needs at least 6
    seeds, three need 7, ten need 9. The folder holds a page that defines every word, its data as
    JSON, and the record of each run in NAME/SEED, which gandiag diagnose and gandiag report read.

    \b
    gandiag compare mode_collapse --fix minibatch_discrimination --fix r1 --fix r1,packing
    gandiag compare mine.yaml --fix r1 --seeds 6 --set training.steps=1000 --jobs 2
    gandiag compare mine.yaml --fix r1 --to weights_and_biases
    gandiag compare mine.yaml --fix r1 --backend dask --address tcp://scheduler:8786

    After Ctrl-C, or if a machine fails, finished runs are kept: the same command with --resume
    trains the others. A run whose scenario has changed is trained again. Runs that are kept are
    diagnosed again, so that the same version of the detectors evaluates all runs. On a cluster, the
    folder must be on a disk that all machines share. The same number of threads gives the same
    numbers on every machine with the same kind of processor; other processors round differently,
    and a training run then takes a different course.

    Exit status: 0 done, whatever the verdicts; 2 bad input, nothing is written; 130 interrupted, or
    the worker processes fail repeatedly.
    """
    from gandiag.cli.comparison_table import print_comparison
    from gandiag.comparison.clusters import WorkersDied
    from gandiag.comparison.compare import COMPARISONS
    from gandiag.comparison.compare import compare as compare_fixes
    from gandiag.comparison.json_data import comparison_as_json
    from gandiag.comparison.page import PAGE
    from gandiag.comparison.parallel import Workers
    from gandiag.records.run_folder import format_path
    from gandiag.scenario.schema import Scenario

    baseline = Scenario.from_source(options.read_source(scenario, sets))
    folder = out or COMPARISONS / baseline.name
    try:
        comparison = compare_fixes(
            baseline,
            fixes,
            folder,
            seeds=seeds,
            workers=Workers(**workers),
            threads=threads,
            reporters=reporters,
            resume=resume,
        )
    except (KeyboardInterrupt, WorkersDied) as interruption:
        # Each finished run is on disk already, so that nothing needs to be saved here.
        return report_unfinished_comparison(folder, interruption)
    if as_json:
        from gandiag.records.storage import format_json

        click.echo(format_json(comparison_as_json(comparison)))
        return 0
    print_comparison(comparison)
    click.echo(format_path(folder / PAGE))
    return 0
