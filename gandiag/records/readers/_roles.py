"""Assigns the columns of a log to roles, such as the discriminator's loss.

The assignment is a guess from the columns' names. It is the same for every log format and is
reported to the user, who can correct a wrong guess with ``--map``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from gandiag.plugins.errors import BadInput, suggest_nearest
from gandiag.records.readers._names import ROLES, find_best_columns, is_adversarial

#: Names of the roles of the discriminator's loss: whole, and its parts on real and fake samples.
WHOLE, REAL, FAKE = ROLES[1:4]
#: Role of a loss -> signal of the record. The registry of signals cannot be imported here, because
#: records come before monitoring in the order of packages; a test compares the names.
SIGNAL_OF_ROLE = {
    WHOLE: "loss/value/discriminator",
    REAL: "loss/real/discriminator",
    FAKE: "loss/fake/discriminator",
    "generator_loss": "loss/value/generator",
    "class_loss": "loss/class/discriminator",
}
MAX_NAMES = 12  # most column names in a message, so that the message stays readable


def assign_roles(
    columns: Iterable[str], path: Path, wanted: Mapping[str, str]
) -> tuple[dict[str, str], list[str]]:
    """Assign a column to each role for which there is one.

    Args:
        columns: names of all numeric columns.
        path: path of the log, for messages.
        wanted: column names by role that the user passed; these are not guessed.

    Returns:
        Column names by role, and notes for the user about roles without a column.

    Raises:
        BadInput: a column that the user named does not exist, or there is no column, or more than
            one, that can be the discriminator's loss.
    """
    columns = tuple(columns)
    for role, name in wanted.items():
        _check_column(role, name, columns)
    roles: dict[str, str] = dict(wanted)
    notes: list[str] = []
    free = [name for name in columns if name not in wanted.values()]
    for role in SIGNAL_OF_ROLE:
        fitting = () if role in wanted else find_best_columns(role, free)
        if len(fitting) == 1:
            roles[role] = fitting[0]
        elif fitting:
            notes.append(_describe_ambiguity(role, fitting, path))
    if WHOLE not in roles and not {REAL, FAKE} <= set(roles):
        problem = f"no column is recognised as the discriminator's loss; add --map {WHOLE}=NAME"
        raise BadInput(str(path), f"{problem}; {_suggest_columns(WHOLE, columns)}")
    if WHOLE not in roles:
        notes.append("The discriminator's loss is the sum of its two parts.")
    # A column that the user named is kept even if it is redundant.
    drop = _find_redundant_roles(roles) - set(wanted)
    return {role: roles[role] for role in ROLES if role in roles and role not in drop}, notes


def _check_column(role: str, name: str, columns: Iterable[str]) -> None:
    if role not in ROLES:
        raise BadInput(f"--map {role}={name}", f"unknown role; {suggest_nearest(role, ROLES)}")
    if name not in columns:
        problem = f"no numeric column has this name; {_suggest_columns(name, columns)}"
        raise BadInput(f"--map {role}={name}", problem)


def _describe_ambiguity(role: str, fitting: tuple[str, ...], path: Path) -> str:
    """A note that several columns fit a role; an error if it is the discriminator's loss."""
    either = " or ".join(fitting[:MAX_NAMES])
    if role == WHOLE:
        problem = f"the discriminator's loss may be {either}; add --map {role}={fitting[0]}"
        raise BadInput(str(path), problem)
    return f"Not read: {role} may be {either}; choose one with --map {role}=NAME."


def _find_redundant_roles(roles: Mapping[str, str]) -> set[str]:
    """Roles without further information: parts of a known sum, and terms outside the loss."""
    if WHOLE not in roles:
        return {"class_loss"}
    return {REAL, FAKE, *(["class_loss"] if is_adversarial(roles[WHOLE]) else [])}


def _suggest_columns(name: str, columns: Iterable[str]) -> str:
    names = sorted(columns)
    more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
    return suggest_nearest(name, names[:MAX_NAMES]) + more
