"""The front door for Python: play a scenario, open what a run left behind, ask it again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gandiag.diagnosis.diagnosis import Diagnosis
from gandiag.diagnosis.diagnosis import diagnose as ask
from gandiag.plugins import registry as plugins
from gandiag.plugins.builtin import LINTS, LOG_DETECTORS
from gandiag.plugins.errors import BadInput
from gandiag.records.facts import SCORES
from gandiag.records.logs import LogOptions, read_log
from gandiag.records.record import Record
from gandiag.records.run_folder import holds_run
from gandiag.reports.report import Report, build_report
from gandiag.scenario.schema import Choice, Scenario
from gandiag.scenario.shipped import SCENARIO, find_scenario
from gandiag.scenario.source import Source, ordered, read

if TYPE_CHECKING:
    from gandiag.plugins.protocols import Detector, Reporter


def build_source(scenario: Scenario | Path | str, changes: dict[str, Any]) -> Source:
    """What a scenario was made of, with values replaced by dotted key.

    Raises:
        BadInput: there is no such scenario or key.
    """
    if isinstance(scenario, Scenario):
        source = Source(scenario.as_data())
    else:
        source = read(find_scenario(str(scenario)))
    for key, value in ordered(changes):
        source.put(key, value, f"{key}={value}")
    return source


def load(path: Path | str, **told: Any) -> Record:
    """Open a run's folder, finished or not, or somebody else's log.

    Args:
        path: the folder, or a log that a reader knows (`gandiag list readers`).
        **told: what a log does not show: fields of `LogOptions`, such as
            ``columns={"discriminator_loss": "errD"}`` and ``objective="hinge"``.

    Raises:
        BadInput: there is no record and no log, or it is damaged.
    """
    folder = Path(path)
    if folder.is_file() and holds_run(folder.parent):
        folder = folder.parent  # somebody pointed at one of its files
    if folder.exists() and not any(folder.glob("**/signals.jsonl")):
        return read_log(folder, LogOptions(**told))
    if told:
        raise BadInput(str(path), f"{', '.join(told)}: only told of a log; this is none")
    if not folder.is_dir():
        problem = "no such folder or file; gandiag run makes one below reports/"
        raise BadInput(str(path), problem)
    if not holds_run(folder):
        runs = sorted(str(file.parent) for file in folder.glob("**/signals.jsonl"))
        below = f"; there are {', '.join(runs)}" if runs else "; gandiag run makes one"
        raise BadInput(str(path), f"no record here{below}")
    return Record.load(folder)


def diagnose(
    record: Record | Path | str, detectors: Iterable[Detector] | None = None
) -> tuple[Diagnosis, ...]:
    """Ask a record what it suffers from.

    Args:
        record: itself, a run's folder, or a log.
        detectors: whom to ask; those of the run's scenario, or gandiag's own, if None.
    """
    record = record if isinstance(record, Record) else load(record)
    chosen = _build_detectors(record) if detectors is None else tuple(detectors)
    return ask(record, chosen)


def reopen_report(
    path: Path | str, until: int | None = None, names: Sequence[str] = (), **told: Any
) -> Report:
    """The report of a saved run or of a log as it is judged now, or as it stood at step `until`.

    Args:
        path: the run's folder, or a log.
        until: the last generator step that counts; all of them if None.
        names: detectors to ask; those of its scenario, or gandiag's own, if empty.
        **told: of a log, as in `load`.
    """
    record = load(path, **told)
    scenario = load_scenario(record)
    detectors = _build_detectors(record, names)
    record = record if until is None else record.until(until)
    return build_report(record, scenario, detectors, plugins.build_all("fixes"))


def load_scenario(record: Record) -> Scenario | None:
    """The scenario that a record was made with; None where its folder holds none."""
    path = record.folder / SCENARIO if record.folder else None
    return Scenario.load(path) if path is not None and path.is_file() else None


def build_reporters(scenario: Scenario | None, names: Sequence[str] = ()) -> tuple[Reporter, ...]:
    """The reporters of a scenario, or those of `names` with its options for them."""
    chosen = _choose((scenario or Scenario()).reporters, names)
    place = "--to" if names else f"{SCENARIO}: reporters"
    return tuple(plugins.build("reporters", c.name, c.options, place) for c in chosen)


def _build_detectors(record: Record, names: Sequence[str] = ()) -> tuple[Detector, ...]:
    """Those that a record was made to be asked by, or those of `names` with its options."""
    scenario = load_scenario(record)
    written = (scenario or Scenario()).detection.detectors
    if scenario is None and SCORES in record.facts:  # an attached loop's
        written = (*written, *(Choice(name=name) for name in LINTS))
    if "log" in record.environment:  # of somebody's losses; elsewhere there are better signs
        written = (*written, *(Choice(name=name) for name in LOG_DETECTORS))
    chosen = _choose(written, names)
    place = "--detector" if names else f"{SCENARIO}: detection.detectors"
    return tuple(plugins.build("detectors", c.name, c.options, place) for c in chosen)


def _choose(written: Sequence[Choice], names: Sequence[str]) -> Sequence[Choice]:
    known = {choice.name: choice for choice in written}
    return [known.get(name, Choice(name=name)) for name in names] if names else written
