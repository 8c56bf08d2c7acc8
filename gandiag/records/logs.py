"""Third-party logs as records: choice of a reader, and facts that only the user knows."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gandiag.plugins import registry as plugins
from gandiag.plugins.errors import BadInput, suggest_nearest, warn_user
from gandiag.plugins.fence import DETECTOR_SECONDS, PluginFailed, call_plugin, is_own
from gandiag.plugins.protocols import Reader
from gandiag.records.readers._names import ROLES, find_best_columns
from gandiag.records.readers._roles import KNOWN_ROLES
from gandiag.records.record import Record

#: Names under which users know an objective -> gandiag's name of the objective.
OBJECTIVES = {
    **{name: name for name in ("non_saturating", "saturating", "hinge", "least_squares")},
    **dict.fromkeys(("bce", "vanilla", "logistic", "cross_entropy"), "non_saturating"),
    **dict.fromkeys(("minimax",), "saturating"),
    **dict.fromkeys(("lsgan", "least_square", "mse"), "least_squares"),
    **dict.fromkeys(("wasserstein", "wgan", "critic"), "wasserstein"),
}


@dataclass(frozen=True)
class LogOptions:
    """What the user passes about a log, as the log itself does not contain it.

    Attributes:
        columns: names of columns by role: step, discriminator_loss, discriminator_loss_real,
            discriminator_loss_fake, generator_loss, class_loss, and qualities such as fid.
        objective: objective of the losses: non_saturating, saturating, hinge, least_squares,
            wasserstein, or another usual name of one of these (see `OBJECTIVES`); None if unknown,
            then it is guessed from the losses.
        chance: logged discriminator loss of the best constant discriminator, which gives every
            sample the same score; 0 for a Wasserstein critic; None takes it from the objective.
        class_weight: weight of a separately logged class term in the discriminator's loss.
        mixed: whether the discriminator's loss includes other terms, such as a class term, that
            are not logged separately.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    objective: str | None = None
    chance: float | None = None
    class_weight: float | None = None
    mixed: bool = False

    def facts(self) -> dict[str, Any]:
        """The options as facts of a record.

        Raises:
            BadInput: the objective is unknown, `chance` or `class_weight` is negative or infinite,
                or `chance` is 0 for an objective other than wasserstein.
        """
        facts: dict[str, Any] = {"mixed": True} if self.mixed else {}
        if self.objective is not None:
            name = self.objective.lower().replace("-", "_")
            if name not in OBJECTIVES:
                problem = f"unknown objective; {suggest_nearest(name, OBJECTIVES)}"
                raise BadInput(f"--objective {self.objective}", problem)
            facts["objective"] = OBJECTIVES[name]
        for key, value in (("chance", self.chance), ("class_weight", self.class_weight)):
            if value is not None and not 0 <= value < float("inf"):
                raise BadInput(f"--{key.replace('_', '-')} {value}", "must be 0 or more")
            if value is not None:
                facts[key] = float(value)
        # Only a Wasserstein critic has loss 0 at a constant score: mean D(fake) - mean D(real).
        is_critic = facts.get("chance") == 0
        if is_critic and facts.setdefault("objective", "wasserstein") != "wasserstein":
            problem = f"is the level of a Wasserstein critic, not of {facts['objective']}"
            raise BadInput("--chance 0", problem)
        return facts


def parse_column_map(pairs: Sequence[str]) -> dict[str, str]:
    """Column names by role, from the ``ROLE=COLUMN`` arguments of a command line.

    ``COLUMN=ROLE`` is understood too. For the numbered columns of a table without header, the role
    may be written as a usual column name.

    >>> parse_column_map(["discriminator_loss=errD", "1=step", "3=g_loss"])
    {'discriminator_loss': 'errD', 'step': '1', 'generator_loss': '3'}

    Raises:
        BadInput: an argument has no equals sign.
    """
    columns = {}
    for pair in pairs:
        left, sign, right = pair.partition("=")
        if not sign:
            raise BadInput(f"--map {pair}", "write ROLE=COLUMN, as in discriminator_loss=errD")
        is_reversed = left not in KNOWN_ROLES and right in KNOWN_ROLES
        usual = [role for role in ROLES if find_best_columns(role, [right])]
        if left.isdigit() and not is_reversed and usual:
            right, is_reversed = usual[0], True
        role, name = (right, left) if is_reversed else (left, right)
        columns[role] = name
    return columns


def read_log(path: Path, options: LogOptions | None = None) -> Record:
    """Read a log with the first reader that recognises the log.

    Args:
        path: file or folder of the log.
        options: what the user passes about the log.

    Raises:
        BadInput: no reader recognises the log, the log is damaged, or no column is found that is
            the discriminator's loss.
    """
    options = options or LogOptions()
    facts = options.facts()
    for _, reader in plugins.build_all("readers"):
        if _recognises(reader, path):
            record = _read(reader, path, options.columns)
            # What the user passes replaces what the reader guessed.
            return dataclasses.replace(record, facts={**record.facts, **facts})
    known = ", ".join(plugins.list_names("readers"))
    what = "the folder has no record" if path.is_dir() else "is not a run's folder"
    raise BadInput(str(path), f"{what}, and no reader recognises a log ({known})")


def _recognises(reader: Reader, path: Path) -> bool:
    """Whether a reader recognises a log; a third-party one that fails does not."""
    try:
        return call_plugin(reader, lambda: reader.recognises(path), bool, DETECTOR_SECONDS)
    except (BadInput, PluginFailed) as error:
        warn_user(f"a reader is not used: {error}")
        return False


def _read(reader: Reader, path: Path, columns: Mapping[str, str]) -> Record:
    if is_own(reader):  # an error of gandiag's own is no bad input
        return reader.read(path, columns)
    try:
        return call_plugin(reader, lambda: reader.read(path, columns), Record)
    except PluginFailed as error:
        raise BadInput(str(path), f"cannot be read: {error}") from error
