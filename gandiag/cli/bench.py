"""``gandiag bench``: one command for each claim of the documentation that can be measured again."""

from __future__ import annotations

import click

from gandiag.cli.bench_accuracy import detection, fixes, logs, static, treatment
from gandiag.cli.bench_cost import compare, layers, overhead, report


@click.group(invoke_without_command=True)
@click.pass_context
def bench(context: click.Context) -> None:
    """Measure the claims of the documentation again, on this machine.

    \b
    gandiag bench overhead    what it costs to watch a training run
    gandiag bench layers      how long minibatch discrimination takes, beside other forms of it
    gandiag bench detection   how often the detectors are right, compared with an oracle
    gandiag bench logs        how often they are right on public log files
    gandiag bench static      whether lost kinds are seen, for generators that are known
    gandiag bench treatment   for how many failing runs gandiag treat confirms a fix
    gandiag bench fixes       which fixes help against which of the shipped failures
    gandiag bench compare     how well a comparison uses the cores
    gandiag bench report      how long a page takes to make, and how large it is

    Exit status: 0 done, 2 bad input.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


for command in (overhead, layers, detection, logs, static, treatment, fixes, compare, report):
    bench.add_command(command)
