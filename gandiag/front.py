"""The front door for Python: play a scenario, open what a run left behind, ask it again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gandiag import plugins
from gandiag.diagnosis import Diagnosis
from gandiag.diagnosis import diagnose as ask
from gandiag.errors import BadInput
from gandiag.facts import SCORES
from gandiag.lints import LINTS
from gandiag.logs import Told, read_log
from gandiag.places import SCENARIO, find_scenario, holds_run
from gandiag.record import Record
from gandiag.report import Report, report_on
from gandiag.scenario import Choice, Scenario
from gandiag.source import Source, ordered, read

if TYPE_CHECKING:
    from gandiag.contracts import Detector, Follower, Reporter

__all__ = ["changed", "diagnose", "load", "play", "reopen", "reporters_for", "run", "scenario_of"]


def run(
    scenario: Scenario | Path | str,
    folder: Path | str | None = None,
    *,
    overwrite: bool = False,
    checkpoint_every: int = 0,
    **changes: Any,
) -> Report:
    """Play a scenario, watch it, and say what was seen.

    Args:
        scenario: itself, its file, or the name of a shipped one.
        folder: where record and reports go; they stay in memory if None.
        overwrite: whether a record that is there already may be replaced.
        checkpoint_every: generator steps between two checkpoints of the players, for
            ``gandiag examine``; 0 for none. They are kept in the folder.
        **changes: values to replace, by dotted key: ``seed=3``, or
            ``**{"training.steps": 500, "variant.vanilla.objective": "saturating"}``.

    Raises:
        BadInput: naming the place of a mistake. Nothing has been written then.
    """
    source = changed(scenario, changes)
    if folder is not None and holds_run(Path(folder)) and not overwrite:
        raise BadInput(str(folder), "holds a record; choose another folder, or overwrite=True")
    if checkpoint_every and folder is None:
        raise BadInput("checkpoint_every", "checkpoints need a folder to be kept in")
    return play(source, None if folder is None else Path(folder), (), checkpoint_every)


def changed(scenario: Scenario | Path | str, changes: dict[str, Any]) -> Source:
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


def play(
    source: Source,
    folder: Path | None,
    followers: Sequence[Follower] = (),
    checkpoint_every: int = 0,
) -> Report:
    """Play what was read; mistakes are blamed on the line or option that wrote them.

    With `checkpoint_every`, the players are kept as they are after the first step, every so many
    steps, and where the run ends, however it does.
    """
    scenario = Scenario.of(source)
    try:
        import torch  # noqa: F401  # first and alone, so that its failure is told from ours
    except (ImportError, OSError) as error:
        way = "install it as pytorch.org/get-started says"
        raise BadInput("torch", f"cannot be imported ({error}); {way}") from error
    from gandiag.checkpoints import Keeper
    from gandiag.pipeline import run

    keepers = [Keeper(folder, checkpoint_every)] if folder is not None else []
    try:
        return run(scenario, folder, followers, source.name, keepers)
    except BadInput as error:
        raise source.blame(error) from error
    finally:
        for keeper in keepers:
            keeper.keep()


def load(path: Path | str, **told: Any) -> Record:
    """Open a run's folder, finished or not, or somebody else's log.

    Args:
        path: the folder, or a log that a reader knows (`gandiag list readers`).
        **told: of a log, what it does not show: fields of `gandiag.logs.Told`, such as
            ``columns={"discriminator_loss": "errD"}`` and ``objective="hinge"``.

    Raises:
        BadInput: there is no record and no log, or it is damaged.
    """
    folder = Path(path)
    if folder.is_file() and holds_run(folder.parent):
        folder = folder.parent  # somebody pointed at one of its files
    if folder.exists() and not any(folder.glob("**/signals.jsonl")):
        return read_log(folder, Told(**told))
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
    chosen = _detectors(record) if detectors is None else tuple(detectors)
    return ask(record, chosen)


def reopen(
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
    scenario = scenario_of(record)
    detectors = _detectors(record, names)
    record = record if until is None else record.until(until)
    return report_on(record, scenario, detectors, plugins.build_all("fixes"))


def scenario_of(record: Record) -> Scenario | None:
    """The scenario that a record was made with; None where its folder holds none."""
    path = record.folder / SCENARIO if record.folder else None
    return Scenario.load(path) if path is not None and path.is_file() else None


def reporters_for(scenario: Scenario | None, names: Sequence[str] = ()) -> tuple[Reporter, ...]:
    """The reporters of a scenario, or those of `names` with its options for them."""
    chosen = _chosen((scenario or Scenario()).reporters, names)
    place = "--to" if names else f"{SCENARIO}: reporters"
    return tuple(plugins.build("reporters", c.name, c.options, place) for c in chosen)


def _detectors(record: Record, names: Sequence[str] = ()) -> tuple[Detector, ...]:
    """Those that a record was made to be asked by, or those of `names` with its options."""
    scenario = scenario_of(record)
    written = (scenario or Scenario()).detection.detectors
    if scenario is None and SCORES in record.facts:  # an attached loop's
        written = (*written, *(Choice(name=name) for name in LINTS))
    if "log" in record.environment:  # of somebody's losses; elsewhere there are better signs
        written = (*written, Choice(name="discriminator_saturation"))
    chosen = _chosen(written, names)
    place = "--detector" if names else f"{SCENARIO}: detection.detectors"
    return tuple(plugins.build("detectors", c.name, c.options, place) for c in chosen)


def _chosen(written: Sequence[Choice], names: Sequence[str]) -> Sequence[Choice]:
    known = {choice.name: choice for choice in written}
    return [known.get(name, Choice(name=name)) for name in names] if names else written
