"""Options that several commands share, each written once, and the scenario that they change."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from gandiag.scenario.source import Source

F = TypeVar("F", bound=Callable[..., Any])
BENCHES = Path("reports/bench")  # where benchmarks keep their runs and measurements


# Help texts show a default in brackets, as "[one per core]", where click cannot show it itself.


def sets(help: str = "Replace a value of the scenario. Can be repeated.") -> Callable[[F], F]:
    """``--set KEY=VALUE``, any number of times."""
    return click.option("--set", "sets", multiple=True, metavar="KEY=VALUE", help=help)


def as_json(help: str = "Print JSON and nothing else.") -> Callable[[F], F]:
    """``--json``: output for programs."""
    return click.option("--json", "as_json", is_flag=True, help=help)


def reporters(help: str) -> Callable[[F], F]:
    """``--to NAME``, any number of times."""
    return click.option("--to", "reporters", multiple=True, metavar="NAME", help=help)


def jobs(help: str = "Runs at the same time. [one per core]") -> Callable[[F], F]:
    """``--jobs``: the number of runs that train at the same time; 0, the default, is one a core."""
    return click.option("--jobs", type=click.IntRange(min=0), default=0, help=help)


def whole_number(name: str, default: int, help: str, least: int = 1) -> Callable[[F], F]:
    """An option for a whole number of at least `least`, with its default shown in the help."""
    return click.option(
        name, type=click.IntRange(min=least), default=default, show_default=True, help=help
    )


def runs_folder(name: str) -> Callable[[F], F]:
    """``--runs``: the folder in which a benchmark keeps its runs."""
    return click.option(
        "--runs",
        type=click.Path(path_type=Path),
        default=BENCHES / name,
        show_default=True,
        help="Folder of the runs.",
    )


def comparison(command: F) -> F:
    """The argument and the options that ``gandiag compare`` and ``gandiag treat`` share."""
    shared = (
        click.argument("scenario"),
        sets(),
        whole_number(
            "--seeds",
            10,
            "Runs of the baseline, and of each fix, with consecutive seeds.",
        ),
        click.option(
            "--out", type=click.Path(path_type=Path), help="Folder of the page and all runs."
        ),
        click.option(
            "--resume", is_flag=True, help="Keep the finished runs in the folder; train the others."
        ),
        jobs(),
        click.option(
            "--threads",
            type=click.IntRange(min=0),
            default=0,
            help="Threads of each run. [cores divided by --jobs]",
        ),
        click.option(
            "--backend",
            type=click.Choice(["loky", "dask", "ray"]),
            default="loky",
            show_default=True,
            help="Backend of joblib; loky uses this machine only.",
        ),
        click.option(
            "--address", help="Address of the cluster's scheduler. [a cluster on this machine]"
        ),
        click.option(
            "--gpus-per-run",
            "gpus",
            type=click.FloatRange(min=0),
            default=0.0,
            help="GPUs of each run; 0.5 lets two runs share one. [none]",
        ),
    )
    for option in reversed(shared):  # the last decorator that is applied comes first in the help
        command = option(command)
    return command


def read_source(scenario: str, sets: tuple[str, ...]) -> Source:
    """Read a scenario by file, folder or name, with the changes of ``--set``.

    Raises:
        BadInput: there is no such scenario, or a change is not ``KEY=VALUE``.
    """
    from gandiag.scenario.shipped import find_scenario
    from gandiag.scenario.source import read_source

    source = read_source(find_scenario(scenario))
    source.set_values(sets, "--set")
    return source
