"""``gandiag treat``: searches for a fix that removes the failures of a scenario."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from gandiag.cli import options
from gandiag.cli.exit_codes import report_unfinished_comparison


@click.command()
@options.comparison
@options.whole_number(
    "--most", 4, "Fixes, or combinations of fixes, to try at most; more need more seeds."
)
def treat(
    scenario: str,
    sets: tuple[str, ...],
    seeds: int,
    most: int,
    out: Path | None,
    resume: bool,
    threads: int,
    **workers: Any,
) -> int:
    """Search for a fix that removes the failures of SCENARIO.

    SCENARIO is as in gandiag run: a file, a name, or the folder of a run. The baseline, which is
    the scenario without fixes, is trained over several seeds. Its diagnoses suggest fixes, which
    are then tried until one is confirmed. Fixes for all of its
    failures are tried first, and among these the fixes for the cause that was found. A fix is given
    up as soon as the remaining seeds cannot confirm it. A fix that removes a failure but leaves or
    brings another one is not confirmed: the fixes that its own diagnoses suggest are then added to
    it. gandiag compare --help defines when a fix is confirmed (verdict "cures"). The tests are
    corrected for --most tries.

    \b
    gandiag treat mode_collapse
    gandiag treat reports/mode_collapse/0 --seeds 12 --jobs 2
    gandiag treat mine.yaml --most 2 --seeds 8

    The folder holds a page, its data as JSON, the record of each run in NAME/SEED and, if a fix is
    confirmed, the scenario with this fix in cured.yaml, which gandiag run takes. Ctrl-C keeps the
    finished runs; --resume continues.

    Exit status: 0 a fix is confirmed, or the baseline has no failure; 1 no fix is confirmed; 2 bad
    input; 130 interrupted, or the worker processes fail repeatedly.
    """
    from gandiag.cli.comparison_table import print_comparison
    from gandiag.comparison.clusters import WorkersDied
    from gandiag.comparison.page import PAGE
    from gandiag.comparison.parallel import Workers
    from gandiag.comparison.treat import TREATMENTS
    from gandiag.comparison.treat import treat as search_fix
    from gandiag.records.run_folder import format_path
    from gandiag.scenario.schema import Scenario

    baseline = Scenario.from_source(options.read_source(scenario, sets))
    folder = out or TREATMENTS / baseline.name
    try:
        result = search_fix(
            baseline,
            folder,
            seeds=seeds,
            most=most,
            workers=Workers(**workers),
            threads=threads,
            resume=resume,
            # On standard error, so that standard output holds the result alone.
            log=lambda text: click.echo(text, err=True),
        )
    except (KeyboardInterrupt, WorkersDied) as interruption:
        return report_unfinished_comparison(folder, interruption)
    print_comparison(result.comparison)
    click.echo(format_path(folder / PAGE))
    if result.fixed_scenario is not None:
        command = f"gandiag run {format_path(result.fixed_scenario)}"
        click.echo(f"fix confirmed: {result.confirmed_fix}. To train with this fix: {command}")
        return 0
    if not result.comparison.targets:  # the baseline does not fail, so there is nothing to fix
        return 0
    untried = f"; not tried: {', '.join(result.untried)}" if result.untried else ""
    click.echo(f"no fix was confirmed{untried}")
    return 1
