"""``gandiag run``: trains the GAN of a scenario and diagnoses the training."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gandiag.cli import options
from gandiag.cli.exit_codes import INTERRUPTED

if TYPE_CHECKING:
    from gandiag.reports.report import Report


@click.command()
@click.argument("scenario")
@options.sets()
@click.option("--seed", type=int, help="Short for --set seed=N.")
@click.option("--steps", type=int, help="Generator steps; short for --set training.steps=N.")
@click.option("--device", help="auto, cpu, cuda, cuda:1, ...")
@click.option(
    "--out", type=click.Path(path_type=Path), help="Folder of the run. [reports/NAME/SEED]"
)
@click.option("--overwrite", is_flag=True, help="Replace an earlier run in the folder.")
@click.option(
    "--check", is_flag=True, help="Exit 1 if a diagnosis differs from what the scenario expects."
)
@click.option(
    "--checkpoint-every",
    type=click.IntRange(min=1),
    metavar="STEPS",
    help="Save both networks at this interval, for gandiag examine. [never]",
)
@click.option(
    "--film", is_flag=True, help="Save 60 sample grids during the run and make a film of them."
)
def run(
    scenario: str,
    sets: tuple[str, ...],
    out: Path | None,
    overwrite: bool,
    check: bool,
    film: bool,
    checkpoint_every: int | None,
    **shortcuts: Any,
) -> int:
    """Train the GAN of SCENARIO, watch the training, and diagnose it.

    SCENARIO is a YAML file, the name of a shipped scenario (gandiag list scenarios), or the folder
    of an earlier run, which is then repeated. --set takes dotted keys and YAML values:

    \b
    gandiag run healthy --seed 3 --steps 500
    gandiag run mode_collapse --film
    gandiag run mine.yaml --set variant.vanilla.objective=saturating
    gandiag run mine.yaml --set training.discriminator.optimizer.lr=1e-3 --set probes.units=off

    An earlier run is never overwritten, unless you pass --overwrite: a second run with the same
    seed is saved in SEED-2, a third in SEED-3. Ctrl-C ends a run early and keeps its record. With
    --checkpoint-every, both networks are saved after the first step, at every interval, and at
    the end.

    Exit status: 0 the run is complete, whatever its diagnosis; 1 with --check, a diagnosis differs
    from the scenario's `expect`; 2 bad input, nothing is written; 130 interrupted.
    """
    from gandiag.cli.progress import RunProgress
    from gandiag.plugins.errors import BadInput
    from gandiag.records.run_folder import choose_folder, clear_folder
    from gandiag.reports import republish
    from gandiag.scenario.schema import Scenario
    from gandiag.training.run import run_source

    source = options.read_source(scenario, sets)
    # Shortcuts are set after --set: the more specific option has priority.
    for option, value in shortcuts.items():
        if value is not None:
            key = "training.steps" if option == "steps" else option
            source.set_value(key, value, f"--{option} {value}")
    if film:
        # Grids of past steps cannot be made after the run, so it has to save enough of them.
        republish.schedule_film_grids(source)
    # Before the folder is chosen, as its name has the scenario's name and seed.
    checked = Scenario.from_source(source)
    if check and not checked.expect:
        problem = "has no expect; add, for example, expect: {mode_collapse: absent}"
        raise BadInput("--check", f"{source.name} {problem}")
    folder, note = choose_folder(checked.name, checked.seed, out, overwrite)
    # An earlier run in the folder is deleted only once the new one is about to train: a mistake in
    # the scenario, found while its parts are built, costs no record.
    with RunProgress(note, on_begin=clear_folder) as progress:
        try:
            report = run_source(source, folder, [progress], checkpoint_every or 0)
        except KeyboardInterrupt:
            click.echo(f"gandiag: {progress.describe_interruption(folder)}", err=True)
            return INTERRUPTED
    _publish(report, folder, film)
    for condition, expected, found in report.unexpected if check else ():
        click.echo(f"--check: {condition}: expected {expected}, found {found}")
    return int(check and bool(report.unexpected))


def _publish(report: Report, folder: Path, film: bool) -> None:
    """Print the diagnosis, make the film if requested, and print the paths of all reports."""
    from gandiag.plugins import registry as plugins
    from gandiag.records.run_folder import format_path, list_reports
    from gandiag.reports import republish

    printed_path = plugins.build("reporters", "console").publish(report, folder)
    if film:
        republish.republish_run(folder, ("film",))
    # The reporters of the scenario have published already; the console printed one of the paths.
    for path in map(format_path, list_reports(folder)):
        if path != format_path(printed_path):
            click.echo(path)
