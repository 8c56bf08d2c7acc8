"""``gandiag examine``: analyses the networks of a saved run at a checkpoint."""

from __future__ import annotations

from pathlib import Path

import click

from gandiag.cli import options
from gandiag.cli.signals import find_exit_status


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--at", type=click.IntRange(min=1), metavar="STEP", help="Checkpoint to examine. [newest]"
)
@click.option(
    "--since",
    type=click.IntRange(min=1),
    metavar="STEP",
    help="Earlier checkpoint, for path_angle. [oldest]",
)
@click.option(
    "--instrument",
    "names",
    multiple=True,
    metavar="NAME",
    help="Run only this instrument. Can be repeated.",
)
@options.sets("Set an option of an instrument. Can be repeated.")
@options.as_json('Print {"step": ..., "findings": [...]} and nothing else.')
def examine(
    path: Path,
    at: int | None,
    since: int | None,
    names: tuple[str, ...],
    sets: tuple[str, ...],
    as_json: bool,
) -> int:
    """Analyse the networks of the run in PATH at a checkpoint.

    PATH is a folder that `gandiag run --checkpoint-every STEPS` wrote, or one of its checkpoints.
    Each instrument answers one question of the theory in a sentence, with intervals or with the
    range over several sets of samples:

    \b
    optimal_discriminator  would a discriminator trained to the end still give G a gradient?
    jacobian               near these weights, does training rotate, converge or diverge?
    update_map             are the steps of gradient descent too large to converge here?
    path_angle             do the updates point from an earlier checkpoint towards this one?
    duality_gap            how much could each network still gain if the other were frozen?

    All instruments run unless --instrument names some; this takes minutes. gandiag list instruments
    NAME lists the options of one instrument, for --set.

    \b
    gandiag run healthy --checkpoint-every 500
    gandiag examine reports/healthy/0
    gandiag examine reports/healthy/0 --at 1000 --since 500 --instrument path_angle
    gandiag examine reports/healthy/0 --instrument jacobian --set jacobian.count=12 --json

    Nothing is written. In Python, gandiag.examine does the same for networks of your own.

    Exit status: 0 done, 2 bad input, 130 interrupted; finished findings are printed.
    """
    from gandiag.examination.runner import build_instruments, run_instruments
    from gandiag.examination.saved_run import load_game_state
    from gandiag.scenario.source import Source

    # Read as the changes of a scenario are, so that --set has one syntax in all commands.
    instrument_options = Source({}, name="--set")
    instrument_options.set_values(sets, "--set")
    place = "--set" if sets else "--instrument"
    # Before the networks and the data are loaded, so that a wrong name costs no waiting.
    instruments = build_instruments(names, instrument_options.data, place)
    state, step = load_game_state(path, at, since)
    findings, status = [], 0
    try:
        for finding in run_instruments(state, instruments):
            findings.append(finding)
    except KeyboardInterrupt as error:
        # An instrument takes up to minutes, so that the finished findings are not lost.
        finished = f"{len(findings)} of {len(instruments)} instruments finished"
        click.echo(f"gandiag: stopped; {finished}", err=True)
        status = find_exit_status(error)
    if as_json:
        from gandiag.records.storage import format_json

        as_data = {"step": step, "findings": [finding.as_json() for finding in findings]}
        click.echo(format_json(as_data))
    else:
        from gandiag.cli.findings_table import print_findings

        print_findings(findings, f"{path}, networks at step {step}")
    return status
