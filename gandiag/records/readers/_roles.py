"""Which column of a log plays which role.

It is guessed here, for every kind of log, and told: a wrong guess can be seen, and mended by
``--map``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from gandiag.plugins.errors import BadInput, nearest
from gandiag.records.readers._names import ROLES, adversarial, best

SIGNALS = {
    "discriminator_loss": "loss/value/discriminator",
    "discriminator_loss_real": "loss/real/discriminator",
    "discriminator_loss_fake": "loss/fake/discriminator",
    "generator_loss": "loss/value/generator",
    "class_loss": "loss/class/discriminator",
}
WHOLE, REAL, FAKE = tuple(SIGNALS)[:3]
SHOWN = 12  # column names in a message


def roles_of(
    columns: Iterable[str], path: Path, wanted: Mapping[str, str]
) -> tuple[dict[str, str], list[str]]:
    """Which column plays which role, and what is to be said about it.

    Args:
        columns: names of all columns that hold numbers.
        path: the log, for messages.
        wanted: column names by role, where the user told them.

    Raises:
        BadInput: a column that was named is not there, or none is the discriminator's loss.
    """
    columns = tuple(columns)
    for role, name in wanted.items():
        _check(role, name, columns)
    roles: dict[str, str] = dict(wanted)
    notes: list[str] = []
    free = [name for name in columns if name not in wanted.values()]
    for role in SIGNALS:
        found = () if role in wanted else best(role, free)
        if len(found) == 1:
            roles[role] = found[0]
        elif found:
            notes.append(_several(role, found, path))
    if WHOLE not in roles and not {REAL, FAKE} <= set(roles):
        problem = f"no column is known as the discriminator's loss; say --map {WHOLE}=NAME"
        raise BadInput(str(path), f"{problem}; {_nearest(WHOLE, columns)}")
    if WHOLE not in roles:
        notes.append("The discriminator's loss is the sum of its two parts.")
    drop = _needless(roles) - set(wanted)
    return {role: roles[role] for role in ROLES if role in roles and role not in drop}, notes


def _check(role: str, name: str, columns: Iterable[str]) -> None:
    if role not in ROLES:
        raise BadInput(f"--map {role}={name}", f"no such role; {nearest(role, ROLES)}")
    if name not in columns:
        problem = f"no column of numbers is called so; {_nearest(name, columns)}"
        raise BadInput(f"--map {role}={name}", problem)


def _several(role: str, found: tuple[str, ...], path: Path) -> str:
    """What to say where several columns fit; without the discriminator's loss nothing goes."""
    either = " or ".join(found[:SHOWN])
    if role == WHOLE:
        problem = f"which is the discriminator's loss, {either}? Say --map {role}={found[0]}"
        raise BadInput(str(path), problem)
    return f"Not read: {role} may be {either}; --map {role}=... tells."


def _needless(roles: Mapping[str, str]) -> set[str]:
    """Roles that tell nothing more: parts of a whole; terms that are not in the loss."""
    if WHOLE not in roles:
        return {"class_loss"}
    return {REAL, FAKE, *(["class_loss"] if adversarial(roles[WHOLE]) else [])}


def _nearest(name: str, columns: Iterable[str]) -> str:
    names = sorted(columns)
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return nearest(name, names[:SHOWN]) + more
