"""``gandiag run``: trains the GAN of a scenario and diagnoses the training."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gandiag.cli import options
from gandiag.cli.exit_codes import ENVIRONMENT
from gandiag.cli.signals import Interruption, find_exit_status, handle_signals

if TYPE_CHECKING:
    from gandiag.records.claim import Claim
    from gandiag.reports.report import Report
    from gandiag.scenario.source import Source


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
@click.option(
    "--resume", is_flag=True, help="Go on with the interrupted run in the folder SCENARIO."
)
def run(
    scenario: str,
    sets: tuple[str, ...],
    out: Path | None,
    overwrite: bool,
    check: bool,
    film: bool,
    checkpoint_every: int | None,
    resume: bool,
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
    gandiag run --resume reports/mine/0

    An earlier run is never overwritten, unless you pass --overwrite: a second run with the same
    seed is saved in SEED-2, a third in SEED-3. With --checkpoint-every, both networks are saved
    after the first step, at every interval, and at the end.

    Ctrl-C, SIGTERM and SIGHUP end a run after the current step; its record, its reports and the
    state from which it can go on are written. A second signal ends it at once. --resume goes on
    from that state, or, if the process was killed, from the newest checkpoint or a state that is at
    most five minutes old; without one, it begins again. On a CPU, weights and signals are then the
    same, bit by bit, as without the interruption.

    Exit status: 0 the run is complete, whatever its diagnosis; 1 with --check, a diagnosis differs
    from the scenario's `expect`; 2 bad input, nothing is written; 4 the disk fails, and the last
    line says what was saved; 130, 143 or 129 ended by Ctrl-C, SIGTERM or SIGHUP.
    """
    from gandiag.records.run_folder import choose_folder, is_complete

    changes = {f"--{name}": value for name, value in shortcuts.items() if value is not None}
    if resume:
        _refuse_changes({"--set": sets, "--out": out, "--overwrite": overwrite, **changes})
        if is_complete(Path(scenario)):
            click.echo(f"{scenario} is complete; gandiag diagnose {scenario} shows it")
            return 0
    source = options.read_source(scenario, sets)
    # Shortcuts are set after --set: the more specific option has priority.
    for option, value in changes.items():
        key = "training.steps" if option == "--steps" else option.removeprefix("--")
        source.set_value(key, value, f"{option} {value}")
    name, seed = _prepare(source, check, film)
    claim, note = _claim(Path(scenario)) if resume else choose_folder(name, seed, out, overwrite)
    report, status = _train(source, claim, note, resume, checkpoint_every or 0)
    if report is None:
        return status
    folder = report.record.folder or claim.folder
    _publish(report, folder, film)
    if "disk_error" in report.record.environment:
        reason = report.record.environment["disk_error"].lower()
        is_saved = is_complete(folder)
        saved = f"the whole record is in {folder}" if is_saved else "its last part is lost"
        click.echo(f"gandiag: the disk failed during the run ({reason}); {saved}", err=True)
        return ENVIRONMENT
    return _print_differences(report) if check and not status else status


def _train(
    source: Source, claim: Claim, note: str, resume: bool, checkpoint_every: int
) -> tuple[Report | None, int]:
    """Train, release the folder, and return the report, if there is one, and the exit status."""
    from gandiag.cli.progress import RunProgress
    from gandiag.records.run_folder import STATE_FILE, clear_folder
    from gandiag.training.run import run_source

    folder, interruption, report = claim.folder, Interruption(), None
    is_resumed = resume and (folder / STATE_FILE).is_file()

    def begin(begun: Path) -> None:
        # An earlier run in the folder is deleted only once the new one is about to train: a mistake
        # in the scenario, found while its parts are built, costs no record.
        if not is_resumed:
            clear_folder(begun)
        interruption.defer()

    with claim, handle_signals(interruption), RunProgress(note, on_begin=begin) as progress:
        try:
            should_stop = interruption.is_requested
            report = run_source(
                source, folder, [progress], checkpoint_every, should_stop, is_resumed
            )
        except KeyboardInterrupt as error:  # before the first step, or a second signal
            status = find_exit_status(error)
        else:
            status = 128 + interruption.number if interruption.number else 0
    if status:
        click.echo(f"gandiag: {progress.describe_interruption(folder)}", err=True)
    return report, status


def _print_differences(report: Report) -> int:
    """Print which diagnoses the scenario does not expect, and return the exit status."""
    for condition, expected, found in report.unexpected:
        click.echo(f"--check: {condition}: expected {expected}, found {found}")
    return int(bool(report.unexpected))


def _refuse_changes(options: Mapping[str, Any]) -> None:
    """Refuse options that would make the resumed run another one.

    Raises:
        BadInput: one of the options was passed.
    """
    from gandiag.plugins.errors import BadInput

    for option, value in options.items():
        if value not in (None, False, ()):
            problem = "cannot be combined with --resume, which goes on with the same run"
            raise BadInput(option, problem)


def _prepare(source: Source, check: bool, film: bool) -> tuple[str, int]:
    """Complete and check a scenario; return its name and seed.

    Raises:
        BadInput: a value is wrong, or there is nothing to check.
    """
    from gandiag.plugins.errors import BadInput
    from gandiag.reports import republish
    from gandiag.scenario.schema import Scenario

    if film:
        # Grids of past steps cannot be made after the run, so it has to save enough of them.
        republish.schedule_film_grids(source)
    # Before the folder is chosen, as its name has the scenario's name and seed.
    checked = Scenario.from_source(source)
    if check and not checked.expect:
        problem = "has no expect; add, for example, expect: {mode_collapse: absent}"
        raise BadInput("--check", f"{source.name} {problem}")
    return checked.name, checked.seed


def _claim(folder: Path) -> tuple[Claim, str]:
    """Claim the folder of an interrupted run; return the claim, and a note on where it goes on.

    Raises:
        BadInput: it is no folder, or another process writes into it.
    """
    from gandiag.plugins.errors import BadInput
    from gandiag.records.run_folder import STATE_FILE, claim_run_folder

    if not folder.is_dir():
        raise BadInput(f"--resume {folder}", "is no folder of a run")
    claim = claim_run_folder(folder, f"--resume {folder}", overwrite=True)
    has_state = (folder / STATE_FILE).is_file()
    return claim, "goes on" if has_state else "begins again, as it has no checkpoint"


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
