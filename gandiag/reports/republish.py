"""Publish the reports of saved runs again, for another audience, or of two runs side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from gandiag.plugins.errors import BadInput
from gandiag.plugins.fence import REPORTER_SECONDS, PluginFailed, call_plugin, is_own
from gandiag.plugins.protocols import PairReporter
from gandiag.reports.report import Report
from gandiag.reports.saved_runs import build_reporters, reopen_report
from gandiag.scenario.schema import Scenario
from gandiag.scenario.source import Source

if TYPE_CHECKING:
    from gandiag.plugins.protocols import Reporter


FILM_FRAMES = 60  # sample grids recorded for a film, spread evenly over the run


def schedule_film_grids(source: Source) -> None:
    """Make a scenario record enough sample grids for a film; a denser schedule is kept."""
    scenario = Scenario.from_source(source)
    every = max(1, scenario.training.steps // FILM_FRAMES)
    # An interval that is already shorter stays, as the user may need the grids for other reasons.
    if scenario.sample_grid_every > every:
        source.set_value("sample_grid_every", every, "--film")
    if scenario.probes.get("plane", {}).get("every", 0) > every:
        source.set_value("probes.plane.every", every, "--film")


def republish_run(
    path: Path | str, names: Sequence[str] = (), audience: str | None = None
) -> tuple[str, ...]:
    """Publish the reports of a saved run again.

    Args:
        path: the run's folder.
        names: names of the reporters to use; if empty, those of the run's scenario.
        audience: value for the option ``audience`` of the reporters that have one; None keeps it.

    Returns:
        Path or URL of each report.

    Raises:
        BadInput: there is no run, or the path is a log, which has no folder to write into.
    """
    report = reopen_report(path)
    folder = _require_folder(report, path)
    reporters = build_reporters(report.scenario, names)
    if audience is not None:
        reporters = tuple(_set_audience(reporter, audience) for reporter in reporters)
    return tuple(_publish_or_refuse(reporter, report, folder) for reporter in reporters)


def republish_pair(
    path: Path | str, other: Path | str, names: Sequence[str] = ()
) -> tuple[str, ...]:
    """Publish a page that compares two saved runs, such as a failing run and its fix.

    Args:
        path: folder of the first run; the page is written there.
        other: folder of the second run.
        names: names of the reporters to use; ``html`` if empty.

    Raises:
        BadInput: there is no run, or no reporter of `names` can compare two runs.
    """
    reports = reopen_report(path), reopen_report(other)
    folder = _require_folder(reports[0], path)
    reporters = build_reporters(reports[0].scenario, names or ("html",))
    able = [reporter for reporter in reporters if isinstance(reporter, PairReporter)]
    if not able:
        raise BadInput(f"--to {' '.join(names)}", "shows one run only; html compares two runs")
    return tuple(reporter.publish_pair(*reports, folder) for reporter in able)


def publish(reporter: Reporter, report: Report, folder: Path) -> str:
    """Publish a report and return its path or URL.

    Raises:
        PluginFailed: the reporter has raised an exception, returned no text, or, if it is a
            third-party one, taken more than `REPORTER_SECONDS`.
    """
    return call_plugin(reporter, lambda: reporter.publish(report, folder), str, REPORTER_SECONDS)


def _publish_or_refuse(reporter: Reporter, report: Report, folder: Path) -> str:
    if is_own(reporter):  # an error of gandiag's own is no bad input
        return reporter.publish(report, folder)
    try:
        return publish(reporter, report, folder)
    except PluginFailed as error:
        raise BadInput(str(folder), f"no report by {error}") from error


def _require_folder(report: Report, path: Path | str) -> Path:
    # Nothing is written beside a log: its folder belongs to the tool that wrote the log.
    if report.record.folder is None:
        raise BadInput(str(path), "is a log and has no folder for a page; use gandiag diagnose")
    return report.record.folder


def _set_audience(reporter: Reporter, audience: str) -> Reporter:
    """A copy of the reporter for another audience; itself where it has no such option."""
    plugin: Any = reporter
    options = fields(plugin) if is_dataclass(plugin) else ()
    if not any(field.name == "audience" for field in options):
        return reporter
    return cast("Reporter", replace(plugin, audience=audience))
