"""``gandiag compare`` and ``gandiag treat``. Each imports what it needs, when it runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from gandiag.cli import comparison_help as help_texts
from gandiag.cli import options
from gandiag.cli.exit_codes import INTERRUPTED

F = TypeVar("F", bound=Callable[..., Any])


def _of_games(seeds: int) -> Callable[[F], F]:
    """The options of both commands: what is played, how often, by whom."""
    shared = (
        click.argument("scenario"),
        options.sets(),
        options.whole_number("--seeds", seeds, "Runs of each arm, from the scenario's seed on."),
        click.option("--out", type=click.Path(path_type=Path), help="Folder of it all."),
        click.option("--resume", is_flag=True, help="Keep the games in it; play only the rest."),
        options.jobs(),
        click.option(
            "--threads", type=click.IntRange(min=0), default=0, help="Of each game. [its share]"
        ),
        click.option(
            "--backend",
            type=click.Choice(["loky", "dask", "ray"]),
            default="loky",
            show_default=True,
            help="joblib's: loky is this machine.",
        ),
        click.option("--address", help="Of a cluster's scheduler. [one is started here]"),
        click.option(
            "--gpus-per-run",
            "gpus",
            type=click.FloatRange(min=0),
            default=0.0,
            help="Each game's, 0.5 for two on one. [none]",
        ),
    )

    def decorate(command: F) -> F:
        for option in reversed(shared):
            command = option(command)
        return command

    return decorate


@click.command(help=help_texts.COMPARE)
@_of_games(seeds=10)
@click.option("--fix", "fixes", multiple=True, required=True, metavar="A[,B]", help="An arm.")
@options.reporters("A reporter for each run.")
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
    """Set a scenario beside itself with fixes."""
    from gandiag.cli.comparison_table import show
    from gandiag.comparison.clusters import WorkersDied
    from gandiag.comparison.compare import COMPARISONS
    from gandiag.comparison.compare import compare as play
    from gandiag.comparison.page import PAGE, as_data
    from gandiag.comparison.parallel import Workers
    from gandiag.records.run_folder import relative

    chosen = _scenario(scenario, sets)
    folder = out or COMPARISONS / chosen.name
    try:
        found = play(
            chosen,
            fixes,
            folder,
            seeds=seeds,
            workers=Workers(**workers),
            threads=threads,
            reporters=reporters,
            resume=resume,
        )
    except (KeyboardInterrupt, WorkersDied) as ended:
        return _stopped(folder, str(ended))
    if as_json:
        import json

        click.echo(json.dumps(as_data(found), indent=2, allow_nan=False))
        return 0
    show(found)
    click.echo(relative(folder / PAGE))
    return 0


@click.command(help=help_texts.TREAT)
@_of_games(seeds=10)
@options.whole_number(
    "--most", 4, "Fixes, or fixes together, that are tried; more need more seeds."
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
    """Look for a cure."""
    from gandiag.cli.comparison_table import show
    from gandiag.comparison.clusters import WorkersDied
    from gandiag.comparison.page import PAGE
    from gandiag.comparison.parallel import Workers
    from gandiag.comparison.treat import TREATMENTS
    from gandiag.comparison.treat import treat as look
    from gandiag.records.run_folder import relative

    chosen = _scenario(scenario, sets)
    folder = out or TREATMENTS / chosen.name
    try:
        found = look(
            chosen,
            folder,
            seeds=seeds,
            most=most,
            workers=Workers(**workers),
            threads=threads,
            resume=resume,
            say=lambda text: click.echo(text, err=True),
        )
    except (KeyboardInterrupt, WorkersDied) as ended:
        return _stopped(folder, str(ended))
    show(found.comparison)
    click.echo(relative(folder / PAGE))
    if found.cured is not None:
        click.echo(f"{found.cure} cures it: gandiag run {relative(found.cured)}")
        return 0
    if not found.comparison.targets:
        return 0
    left = f"; not tried: {', '.join(found.left)}" if found.left else ""
    click.echo(f"no cure was found{left}")
    return 1


def _scenario(name: str, sets: tuple[str, ...]) -> Any:
    from gandiag.scenario.schema import Scenario
    from gandiag.scenario.shipped import find_scenario
    from gandiag.scenario.source import read

    source = read(find_scenario(name))
    source.put_texts(sets, "--set")
    return Scenario.of(source)


def _stopped(folder: Path, why: str) -> int:
    from gandiag.comparison.trial import OUTCOME

    played = len(list(folder.glob(f"*/*/{OUTCOME}")))
    begun = f"stopped: {why}" if why else "stopped"
    text = f"{begun}; {played} finished games are kept in {folder}; --resume plays only the rest"
    click.echo(f"gandiag: {text}", err=True)
    return INTERRUPTED
