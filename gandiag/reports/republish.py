"""The pages of saved runs: made again, written for somebody else, or two runs side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from gandiag.plugins.errors import BadInput
from gandiag.plugins.protocols import PairReporter
from gandiag.reports.report import Report
from gandiag.reports.saved_runs import build_reporters, reopen_report
from gandiag.scenario.schema import Scenario
from gandiag.scenario.source import Source

if TYPE_CHECKING:
    from gandiag.plugins.protocols import Reporter


FILM_FRAMES = 60  # of a film


def schedule_film_grids(source: Source) -> None:
    """Have a game looked at often enough for a film; what is looked at more often stays so."""
    scenario = Scenario.of(source)
    every = max(1, scenario.training.steps // FILM_FRAMES)
    if scenario.sample_grid_every > every:
        source.put("sample_grid_every", every, "--film")
    if scenario.probes.get("plane", {}).get("every", 0) > every:
        source.put("probes.plane.every", every, "--film")


def republish_run(
    path: Path | str, names: Sequence[str] = (), audience: str | None = None
) -> tuple[str, ...]:
    """Make a saved run's reports again, and say where they lie.

    Args:
        path: the run's folder.
        names: reporters to use; those of its scenario if empty.
        audience: whom those that ask are to write for, as their option has it; None as set.

    Raises:
        BadInput: there is no run, or it is a log, which has no folder to write into.
    """
    report = reopen_report(path)
    folder = _require_folder(report, path)
    reporters = build_reporters(report.scenario, names)
    if audience is not None:
        reporters = tuple(_set_audience(reporter, audience) for reporter in reporters)
    return tuple(reporter.publish(report, folder) for reporter in reporters)


def republish_pair(
    path: Path | str, other: Path | str, names: Sequence[str] = ()
) -> tuple[str, ...]:
    """Set a saved run beside another, such as its cure; the pages lie in the first one's folder.

    Raises:
        BadInput: there is no run, or no reporter of `names` can show two.
    """
    reports = reopen_report(path), reopen_report(other)
    folder = _require_folder(reports[0], path)
    reporters = build_reporters(reports[0].scenario, names or ("html",))
    able = [reporter for reporter in reporters if isinstance(reporter, PairReporter)]
    if not able:
        raise BadInput(f"--to {' '.join(names)}", "shows one run only; html shows two")
    return tuple(reporter.publish_pair(*reports, folder) for reporter in able)


def _require_folder(report: Report, path: Path | str) -> Path:
    if report.record.folder is None:
        raise BadInput(str(path), "is a log: it has no page; gandiag diagnose judges it")
    return report.record.folder


def _set_audience(reporter: Reporter, audience: str) -> Reporter:
    chosen: Any = reporter
    has = is_dataclass(chosen) and any(field.name == "audience" for field in fields(chosen))
    return cast("Reporter", replace(chosen, audience=audience)) if has else reporter
