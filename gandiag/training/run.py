"""``gandiag.run``: trains a scenario's GAN, watches the training and diagnoses it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gandiag.plugins.errors import BadInput
from gandiag.records.run_folder import holds_run
from gandiag.reports.report import Report
from gandiag.scenario.schema import Scenario
from gandiag.scenario.source import Source

if TYPE_CHECKING:
    from gandiag.plugins.protocols import Follower
from gandiag.reports.saved_runs import build_source


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
    source = build_source(scenario, changes)
    if folder is not None and holds_run(Path(folder)) and not overwrite:
        raise BadInput(str(folder), "holds a record; choose another folder, or overwrite=True")
    if checkpoint_every and folder is None:
        raise BadInput("checkpoint_every", "checkpoints need a folder to be kept in")
    return run_source(source, None if folder is None else Path(folder), (), checkpoint_every)


def run_source(
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
    from gandiag.training.checkpoints import CheckpointWriter
    from gandiag.training.pipeline import run

    keepers = [CheckpointWriter(folder, checkpoint_every)] if folder is not None else []
    try:
        return run(scenario, folder, followers, source.name, keepers)
    except BadInput as error:
        raise source.with_source(error) from error
    finally:
        for keeper in keepers:
            keeper.write()
