"""Somebody else's log as a record: who reads it, and what its user knows and the log does not."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gandiag.plugins import registry as plugins
from gandiag.plugins.errors import BadInput, nearest
from gandiag.records.record import Record

OBJECTIVES = {
    **{name: name for name in ("non_saturating", "saturating", "hinge", "least_squares")},
    **dict.fromkeys(("bce", "vanilla", "logistic", "cross_entropy"), "non_saturating"),
    **dict.fromkeys(("minimax",), "saturating"),
    **dict.fromkeys(("lsgan", "least_square", "mse"), "least_squares"),
    **dict.fromkeys(("wasserstein", "wgan", "critic"), "wasserstein"),
}


@dataclass(frozen=True)
class LogOptions:
    """What a log's user tells about it.

    Attributes:
        columns: names of columns by role: step, discriminator_loss, discriminator_loss_real,
            discriminator_loss_fake, generator_loss, class_loss.
        objective: the losses' objective: non_saturating, saturating, hinge, least_squares,
            wasserstein, or a usual name of one of them; guessed if None.
        chance: discriminator's loss, as logged, where it gives every image the same, best score;
            from the objective if None; 0 for a critic.
        class_weight: of the class term that is logged apart, in the discriminator's loss.
        mixed: whether other terms are in that loss, such as a class term, and not logged apart.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    objective: str | None = None
    chance: float | None = None
    class_weight: float | None = None
    mixed: bool = False

    def facts(self) -> dict[str, Any]:
        """What was told, as facts of a record.

        Raises:
            BadInput: there is no such objective, or the chance level or weight is negative.
        """
        facts: dict[str, Any] = {"mixed": True} if self.mixed else {}
        if self.objective is not None:
            name = self.objective.lower().replace("-", "_")
            if name not in OBJECTIVES:
                problem = f"no such objective; {nearest(name, OBJECTIVES)}"
                raise BadInput(f"--objective {self.objective}", problem)
            facts["objective"] = OBJECTIVES[name]
        for key, value in (("chance", self.chance), ("class_weight", self.class_weight)):
            if value is not None and not 0 <= value < float("inf"):
                raise BadInput(f"--{key.replace('_', '-')} {value}", "must be 0 or more")
            if value is not None:
                facts[key] = float(value)
        critic = facts.get("chance") == 0
        if critic and facts.setdefault("objective", "wasserstein") != "wasserstein":
            raise BadInput("--chance 0", f"is a critic's, not that of {facts['objective']}")
        return facts


def parse_column_map(pairs: Sequence[str]) -> dict[str, str]:
    """Column names by role, out of a command line's ``ROLE=COLUMN``.

    >>> parse_column_map(["discriminator_loss=errD"])
    {'discriminator_loss': 'errD'}

    Raises:
        BadInput: a text has no equals sign.
    """
    for pair in pairs:
        if "=" not in pair:
            raise BadInput(f"--map {pair}", "write ROLE=COLUMN, as in discriminator_loss=errD")
    return {role: name for role, _, name in (pair.partition("=") for pair in pairs)}


def read_log(path: Path, told: LogOptions | None = None) -> Record:
    """Read a log with the first reader that recognises it.

    Args:
        path: the log: a file or folder.
        told: what its user knows of it.

    Raises:
        BadInput: nobody recognises it, it is damaged, or it does not show which loss is whose.
    """
    told = told or LogOptions()
    facts = told.facts()
    for _, reader in plugins.build_all("readers"):
        if reader.recognises(path):
            record: Record = reader.read(path, told.columns)
            return dataclasses.replace(record, facts={**record.facts, **facts})
    known = ", ".join(plugins.names("readers"))
    what = "no record here" if path.is_dir() else "is not a run's folder"
    raise BadInput(str(path), f"{what}, nor a log that is known ({known})")
