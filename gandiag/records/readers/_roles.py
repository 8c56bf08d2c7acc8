"""Assigns the columns of a log to roles, such as the discriminator's loss.

The assignment is a guess from the columns' names. It is the same for every log format and is
reported to the user, who can correct a wrong guess with ``--map``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from gandiag.plugins.errors import BadInput, suggest_nearest
from gandiag.records.readers._names import ROLES, find_best_columns, is_adversarial
from gandiag.records.readers._quality import SIGNAL_OF_QUALITY, find_quality_columns

#: Names of the roles of the discriminator's loss: whole, and its parts on real and fake samples.
WHOLE, REAL, FAKE = ROLES[1:4]
GENERATOR = "generator_loss"
#: Role of a loss -> signal of the record. The registry of signals cannot be imported here, because
#: records come before monitoring in the order of packages; a test compares the names.
SIGNAL_OF_ROLE = {
    WHOLE: "loss/value/discriminator",
    REAL: "loss/real/discriminator",
    FAKE: "loss/fake/discriminator",
    GENERATOR: "loss/value/generator",
    "class_loss": "loss/class/discriminator",
}
KNOWN_ROLES = (*ROLES, *SIGNAL_OF_QUALITY)  # that a column may have
MAX_NAMES = 12  # most column names in a message, so that the message stays readable


class Assignment(NamedTuple):
    """The columns of a log by role.

    Attributes:
        roles: column names by role.
        others: discriminators beside that of `roles`: the columns of their losses, each with the
            column of the generator that trains against it, or None.
        notes: what the user should know, such as roles without a column.
    """

    roles: dict[str, str]
    others: list[tuple[str, str | None]]
    notes: list[str]


def assign_roles(columns: Iterable[str], path: Path, wanted: Mapping[str, str]) -> Assignment:
    """Assign a column to each role for which there is one.

    Args:
        columns: names of all numeric columns.
        path: path of the log, for messages.
        wanted: column names by role that the user passed; these are not guessed.

    Raises:
        BadInput: a column that the user named does not exist, or no column can be a loss of the
            discriminator or of the generator, or a quality of the samples.
    """
    columns = tuple(columns)
    for role, name in wanted.items():
        _check_column(role, name, columns)
    roles: dict[str, str] = dict(wanted)
    notes: list[str] = []
    free = [name for name in columns if name not in wanted.values()]
    others = _assign_pairs(roles, columns, wanted)
    for role in SIGNAL_OF_ROLE:
        fitting = () if role in roles else find_best_columns(role, free)
        if len(fitting) == 1:
            roles[role] = fitting[0]
        elif fitting:
            either = " or ".join(fitting[:MAX_NAMES])
            notes.append(f"Not read: {role} may be {either}; choose one with --map {role}=NAME.")
    quality = find_quality_columns([name for name in free if name not in roles.values()])
    roles = {**quality, **roles}
    notes += _check_discriminator(roles, columns, path)
    if others:
        names = ", ".join(name for name, _ in others)
        notes.append(
            f"The log has {len(others) + 1} discriminators: {roles[WHOLE]}, {names}. Each is "
            f"evaluated; choose one with --map {WHOLE}=NAME."
        )
    # A column that the user named is kept even if it is redundant.
    drop = _find_redundant_roles(roles) - set(wanted)
    kept = {role: roles[role] for role in KNOWN_ROLES if role in roles and role not in drop}
    return Assignment(kept, others, notes)


def _assign_pairs(
    roles: dict[str, str], columns: Sequence[str], wanted: Mapping[str, str]
) -> list[tuple[str, str | None]]:
    """Assign the first of several equal discriminators and its generator; return the others."""
    discriminators, generators = (find_best_columns(role, columns) for role in (WHOLE, GENERATOR))
    if len(discriminators) < 2:
        return []
    paired: Sequence[str | None] = [None] * len(discriminators)
    if len(generators) == len(discriminators):
        paired = generators
    elif len(generators) == 1:
        paired = generators * len(discriminators)
    pairs = dict(zip(discriminators, paired, strict=True))
    first = roles.setdefault(WHOLE, discriminators[0])
    generator = pairs.get(first)
    if generator is not None:
        roles.setdefault(GENERATOR, generator)
    return [] if WHOLE in wanted else list(pairs.items())[1:]


def _check_discriminator(
    roles: Mapping[str, str], columns: Sequence[str], path: Path
) -> Iterable[str]:
    """Notes on the discriminator's loss; an error if the log has nothing else either."""
    if WHOLE in roles:
        return []
    if {REAL, FAKE} <= set(roles):
        return ["The discriminator's loss is the sum of its two parts."]
    problem = f"no column is recognised as the discriminator's loss; add --map {WHOLE}=NAME"
    hint = _suggest_columns(WHOLE, columns)
    if any(name.isdigit() for name in columns):
        problem += " (columns without a name are numbered)"
    if GENERATOR not in roles and not set(roles) & set(SIGNAL_OF_QUALITY):
        raise BadInput(str(path), f"{problem}; {hint}")
    return [f"{problem[0].upper()}{problem[1:]}; {hint}."]


def _check_column(role: str, name: str, columns: Iterable[str]) -> None:
    if role not in KNOWN_ROLES:
        problem = f"unknown role; {suggest_nearest(role, KNOWN_ROLES)}"
        raise BadInput(f"--map {role}={name}", problem)
    if name not in columns:
        problem = f"no numeric column has this name; {_suggest_columns(name, columns)}"
        raise BadInput(f"--map {role}={name}", problem)


def _find_redundant_roles(roles: Mapping[str, str]) -> set[str]:
    """Roles without further information: parts of a known sum, and terms outside the loss."""
    if WHOLE not in roles:
        return {"class_loss"}
    return {REAL, FAKE, *(["class_loss"] if is_adversarial(roles[WHOLE]) else [])}


def _suggest_columns(name: str, columns: Iterable[str]) -> str:
    names = sorted(columns)
    more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
    return suggest_nearest(name, names[:MAX_NAMES]) + more
