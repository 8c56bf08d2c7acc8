"""``gandiag examine``. It imports what it needs when it runs."""

from __future__ import annotations

from pathlib import Path

import click

from gandiag.cli import examination_help as help_texts
from gandiag.cli import options
from gandiag.cli.exit_codes import INTERRUPTED


@click.command(help=help_texts.EXAMINE)
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--at", type=click.IntRange(min=1), metavar="STEP", help="A checkpoint. [newest]")
@click.option(
    "--since", type=click.IntRange(min=1), metavar="STEP", help="An earlier one. [oldest]"
)
@click.option(
    "--instrument", "names", multiple=True, metavar="NAME", help="Ask this one; repeat it."
)
@options.sets("An instrument's option; repeat it.")
@options.as_json('Print {"step": ..., "findings": [...]} alone.')
def examine(
    path: Path,
    at: int | None,
    since: int | None,
    names: tuple[str, ...],
    sets: tuple[str, ...],
    as_json: bool,
) -> int:
    """Examine a saved run's players, held still."""
    from gandiag.examination.runner import instruments_of, run_instruments
    from gandiag.examination.saved_run import open_run
    from gandiag.scenario.source import Source

    chosen = Source({}, name="--set")
    chosen.put_texts(sets, "--set")
    instruments = instruments_of(names, chosen.data, "--set" if sets else "--instrument")
    subject, step = open_run(path, at, since)
    findings, status = [], 0
    try:
        for finding in run_instruments(subject, instruments):
            findings.append(finding)
    except KeyboardInterrupt:  # what has been found is shown all the same
        click.echo(f"gandiag: stopped; {len(findings)} of {len(instruments)} were asked", err=True)
        status = INTERRUPTED
    if as_json:
        import json

        found = {"step": step, "findings": [finding.as_json() for finding in findings]}
        click.echo(json.dumps(found, indent=2, allow_nan=False))
    else:
        from gandiag.cli.examination_table import show

        show(findings, f"{path}, the players at step {step}")
    return status
