"""``gandiag diagnose``: applies the detectors to a saved run or to a log of another tool."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from gandiag.cli import options
from gandiag.cli.exit_codes import PRESENT, UNDECIDED


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@options.as_json('Print {"diagnoses": [...]} and nothing else.')
@click.option(
    "--detector",
    "detectors",
    multiple=True,
    metavar="NAME",
    help="Apply only this detector. Can be repeated.",
)
@click.option(
    "--until",
    type=click.IntRange(min=0),
    metavar="STEP",
    help="Use only the measurements up to this step.",
)
@click.option(
    "--map",
    "pairs",
    multiple=True,
    metavar="ROLE=COLUMN",
    help="For a log: the column that has this role. Can be repeated.",
)
@click.option("--objective", metavar="NAME", help="For a log: the objective of the losses.")
@click.option(
    "--chance",
    type=float,
    help="For a log: D's loss when it cannot tell real and fake samples apart.",
)
@click.option("--class-weight", type=float, help="For a log: weight of the class term in D's loss.")
@click.option(
    "--mixed", is_flag=True, help="For a log: D's loss has terms that no column shows separately."
)
@click.option(
    "--inconclusive-is-ok", is_flag=True, help="Exit 0, not 3, where a condition is inconclusive."
)
def diagnose(
    path: Path,
    as_json: bool,
    inconclusive_is_ok: bool,
    detectors: tuple[str, ...],
    until: int | None,
    pairs: tuple[str, ...],
    **log_options: Any,
) -> int:
    """Diagnose the saved run, or the log of another tool, in PATH.

    PATH is a folder that `gandiag run` wrote; the run need not be complete. The detectors are those
    of its scenario.yaml, or gandiag's default detectors if it has none.

    \b
    gandiag diagnose reports/mode_collapse/0
    gandiag diagnose reports/mode_collapse/0 --until 800 --json

    PATH may also be a log of the two losses that another tool wrote: the text that a training loop
    prints, a table, JSON, a notebook, a folder of TensorBoard, a run of MLflow, a project of
    trackio, or an offline run of Weights & Biases (gandiag list readers). Losses show whether the
    discriminator saturates, whether the training diverges, and whether the two losses contradict
    each other; a failure that losses cannot show is inconclusive. gandiag guesses the columns from
    their names, and the objective from the losses, and prints each guess. Columns of a table
    without header are 1, 2, 3, ... Roles of columns are step, discriminator_loss,
    discriminator_loss_real, discriminator_loss_fake, generator_loss, class_loss, and qualities
    such as fid; objectives are non_saturating, saturating, hinge, least_squares and wasserstein.

    \b
    gandiag diagnose log.csv
    gandiag diagnose log.csv --map discriminator_loss=errD --map step=iter --objective hinge

    Exit status: 0 no failure is present, and every condition was evaluated; 1 a failure is
    present; 3 no failure is present, but a condition is inconclusive (--inconclusive-is-ok gives
    0); 2 bad input. Others are those of gandiag --help.
    """
    from gandiag.plugins import registry as plugins
    from gandiag.records.logs import parse_column_map
    from gandiag.reports.saved_runs import reopen_report

    columns = {"columns": parse_column_map(pairs)} if pairs else {}
    # Options that were not passed keep the defaults of the reader.
    passed = {
        name: value for name, value in log_options.items() if not (value is None or value is False)
    }
    report = reopen_report(path, until, detectors, **columns, **passed)
    if as_json:
        from gandiag.records.storage import format_json

        found: dict[str, Any] = {"diagnoses": [d.as_json() for d in report.diagnoses]}
        if "log" in report.record.environment:  # what was guessed about the columns of a log
            found["log"] = report.record.environment["log"]
        click.echo(format_json(found))
    else:
        # A log has no folder, so the report then ends with the path that the user passed.
        plugins.build("reporters", "console").publish(report, report.record.folder or path)
    statuses = {diagnosis.status for diagnosis in report.diagnoses}
    if "present" in statuses:
        return PRESENT
    return UNDECIDED if "inconclusive" in statuses and not inconclusive_is_ok else 0
