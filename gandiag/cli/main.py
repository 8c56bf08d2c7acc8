"""The command line: parses, calls, prints. Each command imports what it needs, when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gandiag.cli import help_texts, options
from gandiag.cli.bench import bench
from gandiag.cli.compare import compare, treat
from gandiag.cli.examine import examine
from gandiag.cli.exit_codes import INTERRUPTED, CommandGroup

if TYPE_CHECKING:
    from gandiag.reports.report import Report


LOOK = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


@click.group(
    cls=CommandGroup, invoke_without_command=True, context_settings=LOOK, help=help_texts.GANDIAG
)
@click.version_option(package_name="gandiag", message="gandiag %(version)s")
@click.pass_context
def main(context: click.Context) -> None:
    """Print the help where no command is named."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


@main.command(help=help_texts.RUN)
@click.argument("scenario")
@options.sets()
@click.option("--seed", type=int, help="Short for --set seed=N.")
@click.option("--steps", type=int, help="Generator steps; short for --set training.steps=N.")
@click.option("--device", help="auto, cpu, cuda, cuda:1, ...")
@click.option("--out", type=click.Path(path_type=Path), help="Folder. [reports/NAME/SEED]")
@click.option("--overwrite", is_flag=True, help="Replace the record that is there.")
@click.option("--check", is_flag=True, help="Exit 1 if a diagnosis is not what the file expects.")
@click.option(
    "--checkpoint-every",
    type=click.IntRange(min=1),
    metavar="STEPS",
    help="Keep the players, for gandiag examine. [no]",
)
@click.option("--film", is_flag=True, help="Look at the samples 60 times, and film them.")
def run(
    scenario: str,
    sets: tuple[str, ...],
    out: Path | None,
    overwrite: bool,
    check: bool,
    film: bool,
    checkpoint_every: int | None,
    **short: Any,
) -> int:
    """Play a scenario."""
    from gandiag.cli.progress import Progress
    from gandiag.plugins.errors import BadInput
    from gandiag.records.run_folder import clear, folder_for
    from gandiag.reports import republish as pages
    from gandiag.scenario.schema import Scenario
    from gandiag.scenario.shipped import find_scenario
    from gandiag.scenario.source import read
    from gandiag.training.run import run_source

    source = read(find_scenario(scenario))
    source.put_texts(sets, "--set")
    for option, value in short.items():
        if value is not None:
            key = "training.steps" if option == "steps" else option
            source.put(key, value, f"--{option} {value}")
    if film:
        pages.evaluate_for_film(source)
    checked = Scenario.of(source)
    if check and not checked.expect:
        problem = "has no expect; write, for one, expect: {mode_collapse: absent}"
        raise BadInput("--check", f"{source.name} {problem}")
    folder, note = folder_for(checked.name, checked.seed, out, overwrite)
    with Progress(note, before=clear) as progress:
        try:
            report = run_source(source, folder, [progress], checkpoint_every or 0)
        except KeyboardInterrupt:
            click.echo(f"gandiag: {progress.stopped(folder)}", err=True)
            return INTERRUPTED
    _show(report, folder, film)
    for condition, expected, found in report.unexpected if check else ():
        click.echo(f"--check: {condition}: expected {expected}, found {found}")
    return int(check and bool(report.unexpected))


def _show(report: Report, folder: Path, film: bool) -> None:
    """Print what was found, make the film if there is to be one, and say where all reports lie."""
    from gandiag.plugins import registry as plugins
    from gandiag.records.run_folder import relative, reports_in
    from gandiag.reports import republish as pages

    told = plugins.build("reporters", "console").publish(report, folder)
    if film:
        pages.publish(folder, ("film",))
    for made in map(relative, reports_in(folder)):
        if made != relative(told):
            click.echo(made)


@main.command(help=help_texts.DIAGNOSE)
@click.argument("path", type=click.Path(path_type=Path))
@options.as_json('Print {"diagnoses": [...]} and nothing else.')
@click.option(
    "--detector", "detectors", multiple=True, metavar="NAME", help="Ask this one; repeat it."
)
@click.option("--until", type=click.IntRange(min=0), metavar="STEP", help="As it stood at STEP.")
@click.option(
    "--map", "pairs", multiple=True, metavar="ROLE=COLUMN", help="Of a log: which column is what."
)
@click.option("--objective", metavar="NAME", help="Of a log: the losses' objective.")
@click.option("--chance", type=float, help="Of a log: D's loss where it cannot tell.")
@click.option("--class-weight", type=float, help="Of a log: weight of its class term in D's loss.")
@click.option("--mixed", is_flag=True, help="Of a log: D's loss has terms not logged apart.")
def diagnose(
    path: Path,
    as_json: bool,
    detectors: tuple[str, ...],
    until: int | None,
    pairs: tuple[str, ...],
    **about: Any,
) -> int:
    """Ask a saved run again, or somebody else's log."""
    from gandiag.plugins import registry as plugins
    from gandiag.records.logs import parse_column_map
    from gandiag.reports.saved_runs import reopen_report

    columns = {"columns": parse_column_map(pairs)} if pairs else {}
    told = {name: value for name, value in about.items() if not (value is None or value is False)}
    report = reopen_report(path, until, detectors, **columns, **told)
    if as_json:
        import json

        found: dict[str, Any] = {"diagnoses": [d.as_json() for d in report.diagnoses]}
        if "log" in report.record.environment:
            found["log"] = report.record.environment["log"]
        click.echo(json.dumps(found, indent=2))
    else:
        plugins.build("reporters", "console").publish(report, report.record.folder or path)
    return int(any(diagnosis.status == "present" for diagnosis in report.diagnoses))


@main.command(help=help_texts.REPORT)
@click.argument("path", type=click.Path(path_type=Path))
@click.argument("other", type=click.Path(path_type=Path), required=False)
@options.reporters("A reporter; repeat it.")
@click.option(
    "--audience",
    type=click.Choice(["engineer", "student"]),
    help="Whom the page is for. [as the scenario says]",
)
@click.option("--film", is_flag=True, help="Short for --to film: the samples as a moving picture.")
def report(
    path: Path, other: Path | None, reporters: tuple[str, ...], audience: str | None, film: bool
) -> None:
    """Make a saved run's reports again, or set two runs side by side."""
    from gandiag.records.run_folder import relative
    from gandiag.reports.republish import publish, publish_pair

    reporters = (*reporters, *(("film",) if film else ()))
    if other is None:
        places = publish(path, reporters, audience)
    else:
        places = publish_pair(path, other, reporters)
    for place in places:
        click.echo(relative(place))


@main.command("list", help=help_texts.LIST)
@click.argument("family", required=False)
@click.argument("name", required=False)
@options.as_json()
def list_(family: str | None, name: str | None, as_json: bool) -> None:
    """List plugins and scenarios."""
    from gandiag.cli.listing import entries, show

    found = entries(family, name)
    if as_json:
        import json

        click.echo(json.dumps(found, indent=2))
    else:
        show(found, detail=name is not None)


@main.command(help=help_texts.SERVE)
@click.argument("folder", type=click.Path(path_type=Path), default="reports")
@click.option("--port", type=click.IntRange(0, 65535), default=5006, help="0: a free one. [5006]")
@click.option("--host", default="127.0.0.1", help="Address to listen on. [127.0.0.1]")
def serve(folder: Path, port: int, host: str) -> None:
    """Show a folder of runs while they grow."""
    from gandiag.reports import server as live

    live.serve(folder, port, host, lambda place: click.echo(f"{place}  (Ctrl-C ends it)"))


main.add_command(bench)
main.add_command(compare)
main.add_command(treat)
main.add_command(examine)
