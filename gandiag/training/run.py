"""``gandiag.run``: trains a scenario's GAN, monitors the training and diagnoses failures.

The module is imported without torch; torch is loaded when a run begins.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gandiag.plugins.errors import BadInput
from gandiag.records.run_folder import claim_run_folder
from gandiag.reports.report import Report
from gandiag.reports.saved_runs import build_source
from gandiag.scenario.schema import Scenario
from gandiag.scenario.source import Source

if TYPE_CHECKING:
    from gandiag.plugins.protocols import Follower


def run(
    scenario: Scenario | Path | str,
    folder: Path | str | None = None,
    *,
    overwrite: bool = False,
    checkpoint_every: int = 0,
    **changes: Any,
) -> Report:
    """Train the GAN of a scenario, monitor the training and diagnose failures.

    Args:
        scenario: a scenario, its file, or the name of a shipped one.
        folder: folder for the record and the reports; None keeps both in memory.
        overwrite: whether a record in the folder may be replaced.
        checkpoint_every: generator steps between two checkpoints of both networks, for
            ``gandiag examine``; 0 writes none. Checkpoints need a folder.
        **changes: values to replace in the scenario, by dotted key: ``seed=3``, or
            ``**{"training.steps": 500, "variant.vanilla.objective": "saturating"}``.

    Returns:
        The report: the record of all signals, and one diagnosis for each detector.

    Raises:
        BadInput: an argument or a value of the scenario is wrong, or another run writes into the
            folder. The message names the place, and no file has been written.
    """
    # All checks stand before the run: a mistake must not cost the minutes of a training.
    source = build_source(scenario, changes)
    if folder is None:
        if checkpoint_every:
            raise BadInput("checkpoint_every", "checkpoints need a folder to be written to")
        return run_source(source, None)
    with claim_run_folder(Path(folder), str(folder), overwrite):
        return run_source(source, Path(folder), (), checkpoint_every)


def run_source(
    source: Source,
    folder: Path | None,
    followers: Sequence[Follower] = (),
    checkpoint_every: int = 0,
    should_stop: Callable[[], bool] = lambda: False,
    is_resumed: bool = False,
) -> Report:
    """Run a scenario that was read from a file or from the command line.

    Args:
        source: the scenario, with the line or option that each value comes from.
        folder: folder for the record and the reports; None keeps both in memory.
        followers: informed while the run goes on, beside the scenario's own reporters.
        checkpoint_every: generator steps between two checkpoints; 0 writes none. With a positive
            number, the first step and the last step get a checkpoint, too, also if the run is
            interrupted.
        should_stop: asked after each generator step; if it returns true, the training ends, and
            the state is written from which the run can go on.
        is_resumed: whether the run in the folder goes on from its state.

    Raises:
        BadInput: a value is wrong. The message names its line or option.
    """
    # Before torch is imported, which takes seconds: a wrong value is reported at once.
    scenario = Scenario.from_source(source)
    try:
        # torch is imported first and alone: an error here is one of the user's installation.
        import torch  # noqa: F401
    except (ImportError, OSError) as error:
        hint = "see pytorch.org/get-started for its installation"
        raise BadInput("torch", f"cannot be imported ({error}); {hint}") from error
    from gandiag.training.pipeline import Continuity, run

    continuity = Continuity(checkpoint_every, should_stop, is_resumed)
    try:
        return run(scenario, folder, followers, source.name, continuity=continuity)
    except BadInput as error:
        # The error names a key of the scenario; the source knows the line or option of this key.
        raise source.with_source(error) from error
