"""``gandiag report``: writes the reports of a saved run again."""

from __future__ import annotations

from pathlib import Path

import click

from gandiag.cli import options


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.argument("other", type=click.Path(path_type=Path), required=False)
@options.reporters("Use this reporter. Can be repeated.")
@click.option(
    "--audience",
    type=click.Choice(["engineer", "student"]),
    help="Readers of the page. [as in the scenario]",
)
@click.option("--film", is_flag=True, help="Short for --to film: the sample grids as a GIF.")
def report(
    path: Path, other: Path | None, reporters: tuple[str, ...], audience: str | None, film: bool
) -> None:
    """Diagnose the run in PATH again and write its reports.

    PATH is a folder that `gandiag run` wrote. The reporters are those of its scenario, unless --to
    names others (gandiag list reporters). With OTHER, one page shows both runs side by side, for
    example a failing run and the same run with a fix. The page for students explains each failure
    that is present in a short lesson. --film writes film.gif from the sample grids that the run
    saved; gandiag run --film saves more of them.

    \b
    gandiag report reports/mode_collapse/0 --to html
    gandiag report reports/mode_collapse/0 --audience student
    gandiag report reports/mode_collapse/0 --film
    gandiag report reports/mode_collapse/0 reports/mode_collapse_cured/0

    Exit status: 0 done, 2 bad input.
    """
    from gandiag.records.run_folder import format_path
    from gandiag.reports.republish import republish_pair, republish_run

    reporters = (*reporters, *(("film",) if film else ()))
    if other is None:
        places = republish_run(path, reporters, audience)
    else:
        places = republish_pair(path, other, reporters)
    for place in places:
        click.echo(format_path(place))
