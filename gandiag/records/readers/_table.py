"""A log as a table of named columns, and the record that it makes.

Every reader fills such a table, whatever its log looks like.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gandiag.records.arrays import Array
from gandiag.records.readers._names import EPOCH, STEP, best, unit_of
from gandiag.records.readers._roles import FAKE, REAL, SIGNALS, WHOLE, roles_of
from gandiag.records.readers._steps import newest_branch, unrolled
from gandiag.records.record import Record, Signal


class Column(NamedTuple):
    """What a log holds under one name.

    Attributes:
        rows: ``(n,)`` at which of the log's rows a number stands, increasing.
        values: ``(n,)`` the numbers; NaN and infinities are what was logged.
    """

    rows: NDArray[np.int64]
    values: Array


def columns_of(rows: Iterable[Mapping[str, float]]) -> dict[str, Column]:
    """Columns out of rows, of which each may hold other names."""
    found: dict[str, tuple[list[int], list[float]]] = {}
    for index, row in enumerate(rows):
        for name, value in row.items():
            places, values = found.setdefault(name, ([], []))
            places.append(index)
            values.append(value)
    return {
        name: Column(np.asarray(places, np.int64), np.asarray(values, np.float64))
        for name, (places, values) in found.items()
    }


def record_of(
    columns: Mapping[str, Column], path: Path, reader: str, wanted: Mapping[str, str]
) -> Record:
    """The record of a log.

    Args:
        columns: all that holds numbers, by name.
        path: the log, for messages.
        reader: what kind of log it is, for messages.
        wanted: column names by role (`names.ROLES`), where the user told them.

    Returns:
        A record with the losses as signals, the fact ``unit`` (step, epoch, kimg, image, tick or
        row: what its steps count), and what was read as what in ``environment["log"]``.

    Raises:
        BadInput: a column that was named is not there, or none is the discriminator's loss.
    """
    roles, notes = roles_of(columns, path, wanted)
    place, unit, told = _positions(columns, path, wanted, [roles[r] for r in roles if r in SIGNALS])
    notes += told
    signals, redone = {}, 0
    for role, signal in SIGNALS.items():
        if role in roles:
            signals[signal], dropped = _signal(columns[roles[role]], place)
            redone = max(redone, dropped)
    if WHOLE not in roles:
        signals[SIGNALS[WHOLE]] = _sum(signals[SIGNALS[REAL]], signals[SIGNALS[FAKE]])
    if redone:
        notes.append(f"The log goes back: {redone} rows that were done again later are left out.")
    facts: dict[str, Any] = {"unit": unit}
    if any("class_loss" in note for note in notes):  # there are such terms, but not which is in it
        facts["mixed"] = True
    read = ", ".join(f"{role} is {name}" for role, name in roles.items())
    guessed = " (guessed from the names; --map tells)" if set(roles) - set(wanted) else ""
    about = {"reader": reader, "name": path.name, "columns": roles, "unit": unit}
    about["notes"] = [f"Read as {reader}: {read}{guessed}.", *notes]
    return Record(signals, facts, {"log": about})


def _positions(
    columns: Mapping[str, Column], path: Path, wanted: Mapping[str, str], losses: Iterable[str]
) -> tuple[NDArray[np.int64], str, list[str]]:
    """Of each row of the log the step, or -1 where it has none; the unit; and what to say."""
    losses = list(losses)
    size = 1 + max(int(column.rows[-1]) for column in columns.values() if len(column.rows))
    rows = columns[losses[0]].rows
    free = [name for name in columns if name not in losses]
    names = [wanted[STEP]] if STEP in wanted else sorted(best(STEP, free)[:1])
    spread = {name: _spread(columns[name], size) for name in names}
    names = [name for name in names if np.isfinite(spread[name][rows]).mean() > 0.5]
    if not names:
        return np.arange(1, size + 1), "row", ["No column counts steps: its rows are counted."]
    name, notes = names[0], list[str]()
    place, unit = spread[name], unit_of(name)
    known = np.isfinite(place)
    if unit != EPOCH:
        place, notes = _counted_on(columns, free, name, place, known)
    whole = np.where(known, np.floor(np.where(known, place, 0)), -1).astype(np.int64)
    here = whole[rows[known[rows]]]
    if (np.diff(here) == 0).mean() > 0.1:
        text = f"Many rows have the same {name}, so it is the rows that are counted."
        return np.arange(1, size + 1), "row", [text]
    if unit == STEP:
        return whole, unit, [f"Steps are those of {name}.", *notes]
    return whole, unit, [f"Where it says step, read {unit}: that is what {name} counts.", *notes]


def _counted_on(
    columns: Mapping[str, Column],
    free: Iterable[str],
    name: str,
    place: Array,
    known: NDArray[np.bool_],
) -> tuple[Array, list[str]]:
    """A counter that begins anew with each epoch, counted on over the epochs."""
    epochs = [_spread(columns[epoch], len(place)) for epoch in best(EPOCH, free)[:1]]
    whole = [epoch[known] for epoch in epochs if np.isfinite(epoch[known]).all()]
    unrolling = unrolled(place[known], whole[0] if whole else None)
    if unrolling is None:
        return place, []
    on = place.copy()
    on[known] = unrolling
    return on, [f"{name} begins anew with each epoch; it is counted on."]


def _signal(column: Column, place: NDArray[np.int64]) -> tuple[Signal, int]:
    """A column over steps, with how many of its entries were done again later."""
    steps = place[column.rows]
    steps, values = steps[steps >= 0], column.values[steps >= 0]
    kept = newest_branch(steps)
    back = int((np.diff(steps) < 0).sum())
    return Signal(steps[kept], values[kept]), int((~kept).sum()) if back else 0


def _sum(first: Signal, second: Signal) -> Signal:
    steps, left, right = np.intersect1d(first.steps, second.steps, return_indices=True)
    return Signal(steps, first.values[left] + second.values[right])


def _spread(column: Column, size: int) -> Array:
    full = np.full(size, np.nan)
    full[column.rows] = column.values
    return full
