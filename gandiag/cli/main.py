"""The entry point of the command line: the group of all commands, ``list`` and ``serve``.

A command parses its options, calls one function of gandiag and prints the result. A docstring of a
command is its help text; a backspace character (``\\b``) above a paragraph keeps its lines as they
are. Every command imports what it needs when it runs, so that ``--help`` stays fast: importing
torch takes seconds.
"""

from __future__ import annotations

from pathlib import Path

import click

from gandiag.cli import options
from gandiag.cli.agent_server import mcp
from gandiag.cli.bench import bench
from gandiag.cli.compare import compare
from gandiag.cli.course import course
from gandiag.cli.diagnose import diagnose
from gandiag.cli.examine import examine
from gandiag.cli.exit_codes import CommandGroup
from gandiag.cli.report import report
from gandiag.cli.run import run
from gandiag.cli.treat import treat

# By default click has no -h, and wraps help at 80 columns on wider terminals, too.
HELP_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


@click.group(cls=CommandGroup, invoke_without_command=True, context_settings=HELP_SETTINGS)
@click.version_option(package_name="gandiag", message="gandiag %(version)s")
@click.pass_context
def main(context: click.Context) -> None:
    """Find out which failure a GAN has, since which step, on what evidence, and what to do.

    \b
    gandiag list scenarios                    list the scenarios that come with gandiag
    gandiag run mode_collapse                 train a GAN, watch the training, diagnose it
    gandiag diagnose reports/mode_collapse/0  diagnose a saved run again
    gandiag report reports/mode_collapse/0    write the reports of a saved run again
    gandiag compare mode_collapse --fix r1    measure over many seeds what a fix changes
    gandiag treat mode_collapse               search for a fix that works
    gandiag examine reports/mode_collapse/0   analyse the networks of a run at a checkpoint
    gandiag course                            train the lessons of a course on GANs
    gandiag serve                             show runs in a browser while they train
    gandiag mcp                               let a coding agent read runs and diagnoses

    \b
    Exit status: 0 done; of diagnose, no failure is present, and every condition was evaluated
      1            the command's own negative result (see its help), such as a failure is present
      2            bad input
      3            of diagnose, no failure is present, but a condition is inconclusive
      4            the machine fails: the disk is full, the memory does not suffice
      70           a fault of gandiag itself; --traceback, behind any command, shows more
      129 130 143  ended by SIGHUP, Ctrl-C, SIGTERM
    """
    # Without `invoke_without_command`, click would treat a missing command as an error.
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


@main.command("list")
@click.argument("family", required=False)
@click.argument("name", required=False)
@options.as_json()
def list_(family: str | None, name: str | None, as_json: bool) -> None:
    """List plugins, the options of a plugin, signals, and scenarios.

    \b
    gandiag list
    gandiag list variants
    gandiag list variants vanilla
    gandiag list signals
    gandiag list scenarios

    You can add plugins in a package of your own: give the package an entry point in the group
    gandiag.FAMILY.

    Exit status: 0 done, 2 bad input.
    """
    from gandiag.cli.listing import list_entries, print_entries

    entries = list_entries(family, name)
    if as_json:
        from gandiag.records.storage import format_json

        click.echo(format_json(entries))
    else:
        print_entries(entries, in_detail=name is not None)


@main.command()
@click.argument("folder", type=click.Path(path_type=Path), default="reports")
@click.option(
    # 5006 is the port that Bokeh's own server uses by default.
    "--port",
    type=click.IntRange(0, 65535),
    default=5006,
    help="Port to listen on; 0 chooses a free one. [5006]",
)
@click.option("--host", default="127.0.0.1", help="Address to listen on. [127.0.0.1]")
def serve(folder: Path, port: int, host: str) -> None:
    """Show the runs below FOLDER in a browser while they train.

    A list shows the state and the diagnosis of each run. The page of a run has charts that grow
    during the training. You can select several runs and compare their charts. Nothing is written.
    Only this machine can open the pages, unless --host names another address: then every machine
    that reaches this address can.

    \b
    gandiag serve
    gandiag serve reports/mode_collapse --port 8000

    Exit status: 0 done, 2 bad input.
    """
    from gandiag.reports import server as live

    live.serve(folder, port, host, lambda url: click.echo(f"{url}  (Ctrl-C ends it)"))


for command in (run, diagnose, report, compare, treat, examine, course, mcp, bench):
    main.add_command(command)
