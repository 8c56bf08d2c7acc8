"""Open saved runs and logs from Python, and diagnose them again.

`gandiag.load` and `gandiag.diagnose` are defined here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gandiag.diagnosis.diagnosis import Diagnosis
from gandiag.diagnosis.diagnosis import diagnose as run_detectors
from gandiag.plugins import registry as plugins
from gandiag.plugins.builtin import LINTS, LOG_DETECTORS
from gandiag.plugins.errors import BadInput
from gandiag.records.facts import SCORES
from gandiag.records.logs import LogOptions, read_log
from gandiag.records.record import Record
from gandiag.records.run_folder import has_record
from gandiag.reports.report import Report, build_report
from gandiag.scenario.schema import Choice, Scenario
from gandiag.scenario.shipped import SCENARIO_FILE, find_scenario
from gandiag.scenario.source import Source, read_source, sort_outermost_first

if TYPE_CHECKING:
    from gandiag.plugins.protocols import Detector, Reporter


def build_source(scenario: Scenario | Path | str, changes: dict[str, Any]) -> Source:
    """The source data of a scenario with some values replaced.

    Args:
        scenario: a scenario, the path of a scenario file, or the name of a shipped scenario.
        changes: new values by dotted key, such as ``{"training.steps": 500}``.

    Raises:
        BadInput: there is no such scenario or key.
    """
    if isinstance(scenario, Scenario):
        source = Source(scenario.as_data())
    else:
        source = read_source(find_scenario(str(scenario)))
    # An outer key that came later would replace the values of the inner ones.
    for key, value in sort_outermost_first(changes):
        source.set_value(key, value, f"{key}={value}")
    return source


def load(path: Path | str, **log_options: Any) -> Record:
    """Load the record of a run, finished or not, or the log of another tool.

    Args:
        path: the run's folder, or a log in a format of ``gandiag list readers``.
        **log_options: facts that a log does not contain, as fields of `LogOptions`, such as
            ``columns={"discriminator_loss": "errD"}`` and ``objective="hinge"``.

    Raises:
        BadInput: there is no record and no log, or the file is damaged.
    """
    folder = Path(path)
    if folder.is_file() and has_record(folder.parent):
        folder = folder.parent  # the path of a file in a run's folder means that run
    # A folder above several runs is a mistake and no log: the error below names these runs.
    if folder.exists() and not any(folder.glob("**/signals.jsonl")):
        return read_log(folder, LogOptions(**log_options))
    if log_options:
        options = ", ".join(log_options)
        raise BadInput(str(path), f"{options}: only for logs; this is a run's folder or missing")
    if not folder.is_dir():
        problem = "no such folder or file; gandiag run creates one below reports/"
        raise BadInput(str(path), problem)
    if not has_record(folder):
        runs = sorted(str(file.parent) for file in folder.glob("**/signals.jsonl"))
        below = f"; found {', '.join(runs)}" if runs else "; gandiag run creates one"
        raise BadInput(str(path), f"no record here{below}")
    return Record.load(folder)


def diagnose(
    record: Record | Path | str, detectors: Iterable[Detector] | None = None
) -> tuple[Diagnosis, ...]:
    """Run detectors on a record.

    Args:
        record: a record, a run's folder, or a log.
        detectors: the detectors to run; if None, those of the run's scenario, or gandiag's own
            for a record without a scenario.

    Returns:
        One diagnosis for each detector.
    """
    record = record if isinstance(record, Record) else load(record)
    chosen = _build_detectors(record) if detectors is None else tuple(detectors)
    return run_detectors(record, chosen)


def reopen_report(
    path: Path | str, until: int | None = None, names: Sequence[str] = (), **log_options: Any
) -> Report:
    """Diagnose a saved run or a log with the current detectors and build its report.

    Args:
        path: the run's folder, or a log.
        until: the last generator step to use; None for all steps.
        names: names of the detectors to run; if empty, those of the scenario, or gandiag's own.
        **log_options: of a log, as in `load`.
    """
    record = load(path, **log_options)
    scenario = load_scenario(record)
    detectors = _build_detectors(record, names)
    record = record if until is None else record.until(until)
    return build_report(record, scenario, detectors, plugins.build_all("fixes"))


def load_scenario(record: Record) -> Scenario | None:
    """Load the scenario of a run; None where the record's folder contains none."""
    path = record.folder / SCENARIO_FILE if record.folder else None
    return Scenario.load(path) if path is not None and path.is_file() else None


def build_reporters(scenario: Scenario | None, names: Sequence[str] = ()) -> tuple[Reporter, ...]:
    """Build the reporters of a scenario, or those of `names` with the scenario's options."""
    chosen = _select((scenario or Scenario()).reporters, names)
    origin = "--to" if names else f"{SCENARIO_FILE}: reporters"  # named in error messages
    return tuple(plugins.build("reporters", c.name, c.options, origin) for c in chosen)


def _build_detectors(record: Record, names: Sequence[str] = ()) -> tuple[Detector, ...]:
    """Build the detectors of a record, or those of `names` with the scenario's options."""
    scenario = load_scenario(record)
    choices = (scenario or Scenario()).detection.detectors
    # Only an attached loop has code of the user that the lints can check.
    if scenario is None and SCORES in record.facts:
        choices = (*choices, *(Choice(name=name) for name in LINTS))
    # Detectors that read losses alone are for logs: other records hold more reliable signals.
    if "log" in record.environment:
        has_quality = any(name.startswith("quality/") for name in record.signals)
        choices = (
            *choices,
            *(
                Choice(name=name)
                for name in LOG_DETECTORS
                if has_quality or name != "quality_regression"
            ),
        )
    chosen = _select(choices, names)
    origin = "--detector" if names else f"{SCENARIO_FILE}: detection.detectors"
    return tuple(plugins.build("detectors", c.name, c.options, origin) for c in chosen)


def _select(choices: Sequence[Choice], names: Sequence[str]) -> Sequence[Choice]:
    """All choices if no name is given; otherwise those of the names, with their options."""
    known = {choice.name: choice for choice in choices}
    return [known.get(name, Choice(name=name)) for name in names] if names else choices
